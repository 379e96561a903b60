//! Reads the user's metrics: from the file of `--metrics`, else from `metrics.toml` in the home, else from the stage.

use std::{
    fs,
    io::{ErrorKind, Read},
    path::Path,
};

use findata_domain::Error;
use findata_models::{Models, metrics::Registry};
use findata_pipeline::{
    metrics_file::{self, STAGE_KEY},
    ports::stage::Stage,
};

use super::ResolvedConfig;
use crate::cli::Failure;

/// Number of bytes of a file to read. The registry rejects a file of this size.
const MAX_BYTES: u64 = 2 << 20;

impl ResolvedConfig {
    /// Returns the models with the user's metrics, for a command that does not open the stage. The file
    /// on the stage is read if the stage is a folder.
    ///
    /// # Errors
    /// The faults of the file: `Usage` for the option `--metrics`, else `Config`.
    pub(crate) fn models(&self) -> Result<&'static Models, Failure> {
        if let Some(found) = self.models_of_file()? {
            return Ok(found);
        }
        let path = self.data_dir.stage.join(STAGE_KEY);
        match read(&path).map_err(Error::Config)? {
            Some(file) if self.cloud.is_none() => Ok(with_metrics(&file, &metrics_file::name_on_stage())?),
            _ => Ok(Models::built_in()?),
        }
    }

    /// Returns the models with the user's metrics, for a command that has opened the stage.
    ///
    /// # Errors
    /// As for [`ResolvedConfig::models`], and the stage's errors.
    pub(crate) async fn models_with(&self, stage: &impl Stage) -> Result<&'static Models, Failure> {
        if let Some(found) = self.models_of_file()? {
            return Ok(found);
        }
        match metrics_file::read(stage).await? {
            Some(file) => Ok(with_metrics(&file, &metrics_file::name_on_stage())?),
            None => Ok(Models::built_in()?),
        }
    }

    /// Returns the models with the metrics of the option's file, or of the home's; `None` if there is
    /// neither.
    fn models_of_file(&self) -> Result<Option<&'static Models>, Failure> {
        let Some((path, name)) = &self.metrics else {
            let path = &self.data_dir.metrics;
            let file = read(path).map_err(Error::Config)?;
            let found = file.map(|file| with_metrics(&file, &path.display().to_string()));
            return Ok(found.transpose()?);
        };
        let missing = || format!("{}: there is no such file", path.display());
        let found = read(path).and_then(|file| file.ok_or_else(missing));
        let found = found.and_then(|file| {
            with_metrics(&file, &path.display().to_string()).map_err(|error| error.to_string())
        });
        let is_option = name.starts_with("--");
        found.map(Some).map_err(|fault| match is_option {
            true => Failure::Usage(format!("{name}: {fault}")),
            false => Error::Config(format!("{name}: {fault}")).into(),
        })
    }
}

/// Renders the models with the metrics of a file. A command does so once, and uses them until it ends.
fn with_metrics(file: &[u8], name: &str) -> Result<&'static Models, Error> {
    let built_in = Models::built_in()?;
    let registry: Registry = built_in.registry.with_custom(file, name)?;
    match registry.custom.is_empty() {
        true => Ok(built_in),
        false => Ok(Box::leak(Box::new(Models::of(registry)?))),
    }
}

/// Reads a regular file; `None` if it does not exist. A device or a pipe is refused before it is opened,
/// because opening it could block for ever.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            return Err(format!("{} is a folder, a device or a pipe: use a regular file", path.display()));
        }
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    }
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut content))
        .map_err(unreadable)?;
    Ok(Some(content))
}
