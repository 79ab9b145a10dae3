//! Replays every corpus file through its target.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

use forebay_fuzz::TARGETS;
use std::path::Path;

#[test]
fn corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let folder = root.join(name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            // Names the file in the output of a failure, which shows nothing otherwise.
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }
}

#[test]
fn every_folder_has_a_target() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "no target for corpus/{name}");
    }
}

#[test]
fn every_target_has_a_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(root.join(format!("fuzz_targets/{name}.rs")).is_file(), "{name}");
    }
}

#[test]
fn every_prefix_and_small_damage_of_the_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            let folder = root.join(name);
            scope.spawn(move || damage(&folder, *target));
        }
    });
}

fn damage(folder: &Path, target: fn(&[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let bytes = std::fs::read(path).unwrap();
        for at in 0..bytes.len().min(400) {
            target(&bytes[..at]);
            for damage in [0, b'\r', b'\n', b' ', b':', 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = damage;
                target(&damaged);
            }
        }
    }
}
