//! Runs the command on a pseudo-terminal.

use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
    thread,
};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::command::{Command, Output};

impl Command {
    /// Runs the command to its end on a terminal with this many columns. The result has what the terminal
    /// received, standard output and standard error together, as `stdout`.
    pub fn run_on_terminal(&self, columns: u16) -> Output {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (controller, terminal) = pair(columns);
        let side = || Stdio::from(terminal.try_clone().expect("a copy of the terminal"));
        let mut process = self.process(folder.path());
        process.stdin(side()).stdout(side()).stderr(side());
        let mut child = process.spawn().expect("findata starts");
        // The terminal closes when the child, which now has the only copies, exits.
        drop((process, terminal));
        let reader = thread::spawn(move || {
            let (mut received, mut part) = (Vec::new(), [0; 4096]);
            let mut controller = File::from(controller);
            // Linux reports an error instead of the end of the file when a terminal closes.
            while let Ok(n @ 1..) = controller.read(&mut part) {
                received.extend_from_slice(&part[..n]);
            }
            received
        });
        let code = child.wait().expect("findata ends").code();
        let received = reader.join().expect("the reader ends");
        // A terminal shows a line feed as two characters.
        let text = String::from_utf8_lossy(&received).replace("\r\n", "\n");
        Output { code, stdout: text, stderr: String::new() }
    }
}

/// Opens a pseudo-terminal: the side of the test and the side of the command.
fn pair(columns: u16) -> (OwnedFd, OwnedFd) {
    let controller =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&controller).expect("access to the terminal");
    unlockpt(&controller).expect("an unlocked terminal");
    let name = ptsname(&controller, Vec::new()).expect("the terminal's name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = open(name, flags, Mode::empty()).expect("the other side of the terminal");
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal.as_fd(), size).expect("a size");
    (controller, terminal)
}
