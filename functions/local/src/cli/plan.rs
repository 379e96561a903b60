//! `findata plan`: shows what a run would fetch.

use findata_domain::clock::Clock;
use findata_fanout::market::{self, Market};
use findata_fmp::{CallContext, Fmp, SourceKind, claim_source};
use findata_pipeline::{ports::stage::Stage, run::Request};
use secrecy::SecretString;
use serde_json::json;

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    note,
    outlook::Outlook,
    print, print_json,
    request::RequestArgs,
    terminal,
};
use crate::{render, stage::DirectoryStage};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    request: RequestArgs,
    /// First make up to six calls to find out which endpoints the key may use; the result is stored
    #[arg(long)]
    probe: bool,
}

pub(crate) async fn plan(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let request = args.request.request(&config, false)?;
    config.data_dir.read_corrections()?;
    let key = args.probe.then(|| global.key()).transpose()?;
    match &config.cloud {
        None if args.probe => plan_on(&config, &request, key, config.data_dir.open_stage()?).await,
        // A data directory that does not exist counts as empty and is not created.
        None => plan_on(&config, &request, None, DirectoryStage::read_only(&config.data_dir.stage)).await,
        Some(cloud) => plan_on(&config, &request, key, cloud.open_stage().await?).await,
    }
}

async fn plan_on(
    config: &ResolvedConfig,
    request: &Request,
    probe: Option<SecretString>,
    stage: impl Stage + Clone + 'static,
) -> Result<u8, Failure> {
    config.models_with(&stage).await?;
    let probed = probe.is_some();
    if let Some(key) = probe {
        claim_source(&stage, &config.fmp_url).await?;
        let client = Fmp::new(&config.fmp(key))?.sharing(stage.clone());
        let (run, max_calls) = (request.run_id.clone(), request.options.max_calls);
        let begun = run.started().unwrap_or_else(|| config.clock.now());
        client.begin(&CallContext { run, begun, max_calls });
        let result = market::probe(&client, &stage, config.clock.now()).await;
        client.finish().await;
        let (_, spent) = result?;
        if let Some(limit) = max_calls.filter(|limit| spent.calls >= *limit) {
            note(&format!("--max-calls {limit} is used up: endpoints that are not listed were not called"));
        }
    }
    let clock = SourceKind::of(&config.fmp_url).planning(config.clock);
    let entitlements = Market::read(&stage, clock.latest()).await?.entitlements;
    let plan = findata_fanout::preview(request, &stage, &clock).await?;
    let outlook = Outlook::of(&plan, config);
    if config.json {
        let datasets: serde_json::Map<_, _> =
            plan.datasets.iter().map(|(name, d)| (name.clone(), json!(d))).collect();
        let output = json!({
            "symbols": plan.symbols.len(),
            "calls": outlook.demand.calls,
            "bytes": outlook.demand.bytes,
            "minutes": outlook.minutes(),
            "days": outlook.estimate.days,
            "usd": outlook.here.usd,
            "snowflake_credits": outlook.here.snowflake_credits,
            "on_aws": {"usd": outlook.on_aws.usd, "snowflake_credits": outlook.on_aws.snowflake_credits},
            "fmp_plan": config.fmp_plan.to_string(),
            "datasets": datasets,
            "notes": plan.notes,
            "offers": entitlements.all().map(|(name, refused)| (name.to_owned(), json!(refused.is_none()))).collect::<serde_json::Map<_, _>>(),
        });
        print_json(&output)?;
    } else {
        let fmp_plan = config.fmp_plan.to_string();
        print(&render::plan(&plan, &fmp_plan, &outlook.duration(), &outlook.cost(), terminal::width()))?;
        if probed {
            for (endpoint, refused) in entitlements.all() {
                print(&format!("  {endpoint:<30} {}\n", refused.unwrap_or("yes")))?;
            }
        }
    }
    Ok(0)
}
