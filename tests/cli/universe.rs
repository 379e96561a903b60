//! `findata universe`, and runs that name such a list.

use std::fs;

use findata_domain::{Error, clock::DayClock};
use findata_fanout::universe;
use findata_local::stage::DirectoryStage;
use findata_pipeline::run::{Options, Request, Universe};
use findata_tests::{Home, Simulator, client, findata, request, today, wait};

#[test]
fn a_named_list_is_stored_listed_replaced_and_resolved() {
    let home = Home::new();
    let file = home.path().join("mine.csv");
    let command = |arguments: &[&str]| findata(arguments).home(&home).run();
    let put = |text: &str| {
        fs::write(&file, text).unwrap();
        command(&["universe", "put", "mine", file.to_str().unwrap()])
    };
    assert!(command(&["universe", "list"]).stdout.contains("no universes"));
    let put_once = put("symbol,name\nAAPL,Apple\nBRK.B,Berkshire\nAAPL,again\n");
    assert_eq!((put_once.code, put_once.stdout.as_str()), (Some(0), "stored universe mine: 2 symbols\n"));
    let resolved = |name: &str| {
        let universe = Universe::Named(name.parse().unwrap());
        let request = Request { universe, ..request(&[], Options::default()) };
        let stage = DirectoryStage::open(&home.stage()).unwrap();
        // No call is made for such a list.
        let fmp = client("http://127.0.0.1:1/stable", "key");
        wait(universe::resolve(&request, &fmp, &stage, &DayClock(today())))
    };
    let members = resolved("mine").unwrap();
    assert_eq!(members.symbols, ["AAPL", "BRK-B"].map(|symbol| symbol.parse().unwrap()));
    assert!(
        members.notes.iter().any(|note| note.starts_with("universe mine as stored on")),
        "{members:?}"
    );
    assert_eq!(put("MSFT\n").code, Some(0));
    assert_eq!(resolved("mine").unwrap().symbols, ["MSFT".parse().unwrap()]);
    let listed = command(&["universe", "list", "--json"]).json();
    assert_eq!(
        (&listed["universes"][0]["name"], &listed["universes"][0]["symbols"]),
        (&"mine".into(), &1.into())
    );
    assert!(
        matches!(resolved("other"), Err(Error::Reject(text)) if text.contains("`findata universe put other FILE"))
    );
    for name in ["sp500", "nasdaq", "dowjones", "../mine", "Mine", ""] {
        assert_eq!(command(&["universe", "put", name, file.to_str().unwrap()]).code, Some(2), "{name}");
    }
}

#[test]
fn a_run_of_the_dow_jones_has_its_members_and_their_changes() {
    let (server, home) = (Simulator::with_symbols(34), Home::new());
    let command = |name: &str| {
        findata(&[name, "--universe", "DowJones", "--days", "5", "--years", "1", "--quarters", "0", "--json"])
            .home(&home)
            .url(server.url())
            .run()
    };
    let unknown = command("plan");
    assert!(
        unknown.code == Some(1) && unknown.stderr.contains("the first run fetches them"),
        "{unknown:#?}"
    );
    let run = command("run");
    assert_eq!((run.code, run.json()["symbols"].as_u64()), (Some(0), Some(30)), "{run:#?}");
    let members = home.count(
        "select count(*) from analytics.dim_index_membership where index_name = 'dowjones' and is_member",
    );
    assert_eq!(members, 30);
}
