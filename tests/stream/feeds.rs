//! Polled quotes and trades of the WebSocket become ticks, also after faults.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use findata_fmp_simulator::Options;
use findata_tests::{Command, Home, Job, Running, Simulator, findata, today, wait_until};

use super::{SYMBOLS, killed::acknowledged, stored_bars, ticks};

fn home_of(server: &Simulator) -> Home {
    let home = Home::new();
    Job::new(server.url(), &SYMBOLS).days(5).run_ok(&home);
    home
}

/// Ends a stream with Ctrl-C.
fn stop(running: Running) {
    running.signal("INT");
    running.wait().failed(130);
}

#[test]
fn polled_quotes_are_prices_without_volume_and_count_once() {
    let server = Simulator::with_symbols(3);
    let home = home_of(&server);
    let before = server.calls();
    let list = home.path().join("polled.txt");
    fs::write(&list, SYMBOLS.join("\n")).expect("a file of symbols");
    let poll = |url: String| {
        findata(&["stream", "--poll", "1s", "--acks", "--flush-after", "1s", "--fmp-plan", "300"])
            .option("--universe", &list)
            .home(&home)
            .url(url)
    };
    let short = poll(server.url()).option("--keep-ticks", "1").run();
    assert_eq!(short.code, Some(2), "{short:?}");
    assert!(short.stderr.contains("a number of days from 2 on, or all"), "{short:?}");
    let calls = || server.calls() - before;
    for _ in 0..2 {
        let (first, running) = (calls(), poll(server.url()).start());
        wait_until("quotes to land", || acknowledged(&running.stdout()) == SYMBOLS.len());
        wait_until("further polls", || calls() >= first + 3);
        assert_eq!(acknowledged(&running.stdout()), SYMBOLS.len(), "an unchanged quote is not passed on");
        stop(running);
    }
    // Both sessions polled the same quotes: those of the close.
    let quotes = "select symbol || '|' || price::varchar || '|' || tick_id from raw.price_ticks where size is null \
                  and source = 'fmp-batch-quote' and exchange_time = '2026-09-18 20:00:01' order by 1";
    let closes = "select symbol || '|' || close_price::varchar || '|' || symbol || '-1789761601' from staging.prices \
                  where price_date = '2026-09-18' and symbol <> '^GSPC' order by 1";
    let found = home.lines(quotes);
    assert_eq!((found.len(), &found), (3, &home.lines(closes)));
    let bars = "select count(*) from analytics.fact_intraday_prices where volume = 0 and vwap is null and tick_count = 1";
    assert_eq!((home.count(bars), home.count("select count(*) from raw.price_ticks")), (3, 3));
    assert!(!home.keys("state/budget/").is_empty(), "polls share the call budget of runs");

    // A poll that fails for a while leaves a gap, and a refused key ends the stream.
    let next = Simulator::start(Options {
        symbols: 3,
        today: today().succ_opt().unwrap(),
        faults: vec!["truncated=x9,batch-quote".parse().unwrap()],
        ..Options::default()
    });
    let running = poll(next.url()).start();
    wait_until("a failed poll", || running.stderr().contains("quotes could not be polled"));
    wait_until("quotes to land", || acknowledged(&running.stdout()) == SYMBOLS.len() + 1);
    stop(running);
    assert_eq!(home.count("select count(*) from ops.price_gaps where reason like 'batch-quote: %'"), 1);
    next.set_faults(&["unauthorized=1"]);
    assert!(poll(next.url()).run().failed(1).contains("key"));
}

#[test]
fn trades_of_the_websocket_survive_cuts_and_kills() {
    let server = Simulator::start(Options {
        symbols: 3,
        today: today(),
        trades_per_second: 1_000,
        trades: Some(4_000),
        key: Some("the-key".into()),
        ..Options::default()
    });
    let quiet = Simulator::with_symbols(3);
    let home = home_of(&quiet);
    // With the real clock, because a fixed one gives all gaps the same time.
    let receive = |key: &str| -> Command {
        findata(&["stream", "--acks", "--flush-records", "100", "--flush-after", "1s", "--load-every", "1s"])
            .option("--home", home.path())
            .option("--websocket", server.websocket_url())
            .key(key)
    };
    assert!(receive("other").run().failed(1).contains("refused the key"));
    assert!(server.trades().is_empty());
    // The refused session leaves a gap, too: from its start to that of the next one.
    let running = receive("the-key").start();
    wait_until("trades to land", || acknowledged(&running.stdout()) >= 500);
    server.cut_websockets();
    wait_until("another connection", || running.stderr().contains("is lost"));
    let at_cut = acknowledged(&running.stdout());
    wait_until("more trades to land", || acknowledged(&running.stdout()) >= at_cut + 500);
    let first = acknowledged(&running.kill_and_read());
    let running = receive("the-key").start();
    wait_until("all trades to be sent", || {
        // Readers are not blocked.
        home.count("select count(*) from analytics.fact_intraday_prices");
        server.trades().len() == 4_000
    });
    thread::sleep(Duration::from_millis(1_500));
    let second = acknowledged(&running.stdout());
    stop(running);

    let sent: BTreeMap<String, usize> = server
        .trades()
        .iter()
        .enumerate()
        .map(|(n, trade)| {
            let at = trade.at.format("%Y-%m-%d %H:%M:%S%.3f");
            (format!("{}|{at}|{}|{}", trade.symbol, trade.price, trade.size), n)
        })
        .collect();
    let stored = home.lines(
        "select symbol, strftime(exchange_time, '%Y-%m-%d %H:%M:%S.%g'), (price * 100)::bigint, size::bigint \
         from raw.price_ticks order by exchange_time",
    );
    let numbers: Vec<usize> = stored.iter().map(|line| sent[line]).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "each trade is stored once");
    // One line of the first session and none of the second is the record of a gap.
    assert!(numbers.len() >= first - 1 + second, "{first} {second} {}", numbers.len());
    let lost = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    let gaps =
        home.lines("select reason from ops.price_gaps where source = 'fmp-websocket' order by gap_end");
    assert!(lost <= 2, "trades were lost at {lost} times, but a cut and a kill interrupted the stream");
    assert_eq!((numbers[0], numbers[numbers.len() - 1]), (0, 3_999), "{gaps:?}");
    let killed = gaps.iter().filter(|reason| reason.contains("did not end properly")).count();
    assert_eq!((gaps.len(), killed), (3, 2), "{gaps:?}");
    let trades = server.trades();
    let expected: Vec<ticks::Tick> = numbers
        .iter()
        .map(|n| ticks::Tick {
            id: *n as u64,
            symbol: SYMBOLS.into_iter().find(|symbol| *symbol == trades[*n].symbol).unwrap(),
            price: trades[*n].price.into(),
            size: Some(trades[*n].size.into()),
            time: trades[*n].at.timestamp_micros(),
        })
        .collect();
    assert_eq!(stored_bars(&home), ticks::bars(&expected));
}
