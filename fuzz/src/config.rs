//! The configuration file: any bytes give a configuration within its bounds, or problems with a place each.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay::config::{ConfigErrors, FrontConfig, FrontSources, Origin, Problem, Sources, resolve_front};
use tempfile::TempDir;

/// The name messages use for the file.
const NAME: &str = "forebay.toml";

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Any bytes as `forebay.toml`. The front's configuration reads every section and starts no node.
pub fn run(data: &[u8]) {
    let folder = FOLDER.with_borrow_mut(|folder| {
        let made = folder.get_or_insert_with(|| tempfile::tempdir().expect("a temporary folder can be made"));
        made.path().to_owned()
    });
    std::fs::write(folder.join(NAME), data).expect("a temporary file can be written");
    let outcome = resolve(&folder);
    let again = resolve(&folder);
    match (&outcome, &again) {
        (Ok(config), Ok(_)) => check_bounds(config),
        (Err(errors), Err(same)) => {
            assert_eq!(errors.problems(), same.problems());
            check_problems(errors, data);
        }
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("the same file was read in two ways"),
    }
}

fn resolve(folder: &Path) -> Result<FrontConfig, ConfigErrors> {
    let common = Sources {
        app: None,
        config: Some(PathBuf::from(NAME)),
        flags: Vec::new(),
        cwd: folder.to_owned(),
        env: |_| None,
    };
    resolve_front(&FrontSources {
        listen: vec!["127.0.0.1:3000-3001".to_owned()],
        to: "{port}.sock".to_owned(),
        pipe: None,
        no_forwarded: false,
        common,
    })
}

fn check_problems(errors: &ConfigErrors, data: &[u8]) {
    let lines = 1 + data.iter().filter(|&&byte| byte == b'\n').count();
    assert!(!errors.problems().is_empty());
    for problem in errors.problems() {
        assert!(!problem.what.is_empty());
        match &problem.origin {
            Origin::File { path, line } => {
                assert_eq!(path, Path::new(NAME));
                assert!((1..=lines).contains(line), "{problem}");
            }
            Origin::Default => assert!(concerns_the_whole_file(problem), "{problem}"),
            Origin::Environment(_) | Origin::Flag(_) | Origin::Profile(_) => panic!("{problem}"),
        }
        assert!(problem.to_string().starts_with("error: "));
    }
}

/// Too large, or not UTF-8 at all: there is no line to name.
fn concerns_the_whole_file(problem: &Problem) -> bool {
    problem.key == NAME
}

/// What the reference promises of some settings.
fn check_bounds(config: &FrontConfig) {
    let limits = &config.limits;
    assert!((1 << 10..=255 << 10).contains(&limits.head_bytes_max));
    assert!((1..=1000).contains(&limits.fields_max));
    assert!((16 << 10..=16 << 20).contains(&limits.window_bytes));
    assert!(limits.replay_bytes_max <= 16 << 20);
    assert!((1..=16).contains(&limits.attempts_max));
    assert!((1..=1_000_000).contains(&limits.in_flight_max) && limits.queue_max <= 1_000_000);
    assert!((1..=1024).contains(&config.shards.count));
    let day = Duration::from_secs(86_400);
    for wait in [limits.head_timeout, limits.send_timeout, limits.queue_timeout, limits.dial_timeout] {
        assert!((Duration::from_millis(1)..=day).contains(&wait));
    }
    assert!(config.metrics.is_none_or(|address| address.ip().to_canonical().is_loopback()));
    assert_eq!(config.routes.len(), 2);
}
