//! `forebay import`: what it writes resolves, says the same, and tells what it could not carry.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use forebay::config::{Import, Resolved, Sources, import, resolve};

struct Place(tempfile::TempDir);

fn path_only(name: &str) -> Option<OsString> {
    if name == "PATH" { std::env::var_os(name) } else { None }
}

fn place(files: &[(&str, &str)]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Place(folder)
}

impl Place {
    fn sources(&self) -> Sources {
        Sources { app: None, config: None, flags: Vec::new(), cwd: self.0.path().into(), env: path_only }
    }

    fn import(&self, files: &[&str]) -> Import {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        import(&files, self.0.path(), &self.sources()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// What the imported file resolves to.
    fn resolved(&self, import: &Import) -> Resolved {
        fs::write(self.0.path().join("forebay.toml"), &import.toml).unwrap();
        resolve(&self.sources()).unwrap_or_else(|errors| panic!("{errors}\n{}", import.toml))
    }
}

const WEB_CONFIG: &str = r#"<configuration>
  <appSettings><add key="A" value="a &quot;b&quot;" /><add key="My.Key" value="" /></appSettings>
  <system.webServer>
    <handlers><add name="iisnode" path="bin/www" verb="*" modules="iisnode" /></handlers>
    <iisnode nodeProcessCountPerApplication="0" loggingEnabled="true" logDirectory="..\logs" node_env="production"
      nodeProcessCommandLine="node --expose-gc" watchedFiles="*.js;..\lib\*.js" promoteServerVars="AUTH_USER" />
    <security><requestFiltering><requestLimits maxAllowedContentLength="1000" /></requestFiltering></security>
  </system.webServer>
</configuration>"#;

#[test]
fn iisnodes_files_say_the_same_as_before() {
    for profile in ["iisnode", "azure"] {
        let place = place(&[("bin/www", ""), ("web.config", WEB_CONFIG), ("bin/iisnode.yml", "maxLogFiles: 9\n")]);
        let flags = vec![("--profile", vec![profile.to_owned()])];
        let before = resolve(&Sources { flags: flags.clone(), ..place.sources() }).unwrap();
        assert!(before.config.launch.env.len() > 8, "{:?}", before.config.launch.env);
        let sources = Sources { flags, ..place.sources() };
        let imported = import(&["web.config".into()], place.0.path(), &sources).unwrap();
        assert!(!imported.toml.contains(&place.0.path().display().to_string()), "{}", imported.toml);
        let after = place.resolved(&imported);
        let comparable = |resolved: &Resolved| {
            let mut config = resolved.config.clone();
            config.workers.runtime_dir = PathBuf::new();
            config.sources.clear();
            config.site.rules = None;
            // A table has no order.
            config.launch.env.sort();
            format!("{config:#?}").replace("bin/../", "")
        };
        assert_eq!(comparable(&before), comparable(&after), "{}", imported.toml);
        if profile == "iisnode" {
            insta::assert_snapshot!("web_config", imported.toml);
        }
    }
}

#[test]
fn a_broken_web_config_is_not_imported() {
    let place = place(&[("server.js", ""), ("web.config", "<configuration><iisnode")]);
    let errors = import(&["web.config".into()], place.0.path(), &place.sources()).unwrap_err();
    assert!(errors.to_string().contains("web.config:1: not XML"), "{errors}");
}

#[test]
fn pm2() {
    let ecosystem = "module.exports = { apps: [{
        name: 'shop', script: './server.js', cwd: './app', args: '--color --n 1', instances: 'max', exec_mode: 'cluster',
        node_args: ['--max-old-space-size=512'], env: { PORT: 3000, A: 'x', N: 1 }, env_production: { A: 'y' },
        kill_timeout: 4000, listen_timeout: '8s', watch: ['lib', '*.json'], max_memory_restart: '300M',
        unheard_of: 1, wait_ready: true, autorestart: true,
    }, { name: 'worker', script: 'worker.js' }], deploy: {} };";
    let place = place(&[("app/server.js", ""), ("ecosystem.config.js", ecosystem)]);
    let imported = place.import(&["ecosystem.config.js"]);
    insta::assert_snapshot!("pm2", imported.toml);
    let resolved = place.resolved(&imported);
    assert_eq!(resolved.config.listen, ["0.0.0.0:3000".parse().unwrap()]);
    assert!(resolved.config.launch.cwd.ends_with("app"));
    assert_eq!(imported.lost.len(), 6, "{:?}", imported.lost);
}

#[test]
fn pm2_as_json_and_as_a_module() {
    for (name, text) in [
        ("pm2.json", r#"{"apps": {"script": "server.js", "instances": 3}}"#),
        ("ecosystem.config.mjs", "export default { apps: [{ script: 'server.js', instances: 3 }] }"),
    ] {
        let place = place(&[("server.js", ""), (name, text)]);
        let resolved = place.resolved(&place.import(&[name]));
        assert_eq!(resolved.config.workers.count, 3, "{name}");
    }
}

#[test]
fn unit() {
    let json = r#"{
      "listeners": {
        "*:8300": {"pass": "applications/node", "forwarded": {"client_ip": "X-Forwarded-For", "source": ["10.0.0.0/8"]}},
        "*:443": {"pass": "applications/node", "tls": {"certificate": "x"}},
        "*:9000": {"pass": "applications/php"}
      },
      "applications": {
        "php": {"type": "php", "root": "x"},
        "node": {"type": "external", "working_directory": "app", "executable": "/usr/bin/env",
          "arguments": ["node", "--loader", "unit-http/loader.mjs", "--require", "unit-http/loader", "--no-warnings", "server.js", "--x"],
          "processes": {"max": 4, "spare": 1}, "limits": {"timeout": 10, "requests": 100},
          "environment": {"A": "b"}, "user": "nobody"}
      },
      "settings": {"http": {"header_read_timeout": 10, "max_body_size": 6291456, "server_version": false}},
      "access_log": "access.log",
      "routes": []
    }"#;
    let place = place(&[("app/server.js", ""), ("unit.json", json)]);
    let imported = place.import(&["unit.json"]);
    insta::assert_snapshot!("unit", imported.toml);
    let resolved = place.resolved(&imported);
    assert_eq!(resolved.config.workers.count, 4);
    assert_eq!(resolved.config.listen, ["0.0.0.0:8300".parse().unwrap()]);
    assert!(resolved.config.launch.args.iter().all(|arg| !arg.to_string_lossy().contains("unit-http")));
}

#[test]
fn what_is_none_of_these_is_refused() {
    let place = place(&[
        ("a.txt", ""),
        ("b.json", "{"),
        ("throws.js", "throw new Error('no')"),
        ("web.config", "<configuration />"),
    ]);
    let mut told = Vec::new();
    for files in [&["a.txt"][..], &["missing.js"], &["b.json"], &["throws.js"], &["web.config", "b.json"], &["."]] {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let errors = import(&files, place.0.path(), &place.sources()).unwrap_err();
        let text = errors.to_string().replace(&place.0.path().display().to_string(), "DIR");
        told.push(text);
    }
    insta::assert_snapshot!(told.join("\n---\n"));
}
