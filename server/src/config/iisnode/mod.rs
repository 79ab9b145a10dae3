//! Configuration the iisnode way: web.config, iisnode.yml and `IISNODE_*` variables, as one more source of settings.
//!
//! What they say is read into the values of iisnode's 34 attributes, which [`mapping`] turns into settings of Forebay's
//! own table: so everything behind the configuration knows one kind of setting, and messages and `forebay check` name
//! the line of web.config. iisnode.yml is stronger than a variable, that than web.config, as upstream; Forebay's own
//! flags and variables are stronger than all of them, and the defaults of a [`Profile`] fill the rest.
//!
//! What an attribute cannot mean here is a [`Remark`], never silence.

mod attributes;
mod command_line;
mod mapping;
mod reference;
mod script;
mod value;
mod web_config;
mod yml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigErrors, Origin, Problem, Remark};
use super::file;
use super::layers::Layers;
use super::resolve::Sources;
use mapping::Mapping;
pub use reference::{iisnode_markdown, iisnode_tests};
use value::{Given, Value, Values, Writer};
use web_config::WebConfig;

/// The name IIS's configuration is looked for by.
pub(super) const WEB_CONFIG: &str = "web.config";

/// Whose defaults apply where nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Forebay's own.
    Native,
    /// iisnode's.
    Iisnode,
    /// Those of iisnode on Azure App Service.
    Azure,
}

impl Profile {
    fn default(self, attribute: &attributes::Attribute) -> &'static str {
        attribute.azure.filter(|_| self == Self::Azure).unwrap_or(attribute.upstream)
    }

    /// Its word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Iisnode => "iisnode",
            Self::Azure => "azure",
        }
    }

    pub(super) fn origin(self) -> Origin {
        if self == Self::Native { Origin::Default } else { Origin::Profile(self.name()) }
    }
}

/// A folder whose configuration is iisnode's.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder. Absolute.
    pub(super) folder: PathBuf,
    /// The same as messages name it; empty for the current one.
    pub(super) shown: PathBuf,
    /// Its web.config, if it has one.
    pub(super) web_config: Option<PathBuf>,
}

impl Place {
    /// What `folder`, named `shown`, has of iisnode; none if it has nothing.
    pub(super) fn find(folder: &Path, shown: &Path) -> Option<Self> {
        let web_config = folder.join(WEB_CONFIG);
        // IIS configures other things with a web.config too. One that cannot be read is looked at, to say so.
        let is_ours = web_config.is_file()
            && std::fs::read(&web_config)
                .map_or(true, |bytes| bytes.to_ascii_lowercase().windows(7).any(|it| it == b"iisnode"));
        (is_ours || folder.join("iisnode.yml").is_file()).then(|| Self {
            folder: folder.to_owned(),
            shown: shown.to_owned(),
            web_config: is_ours.then_some(web_config),
        })
    }

    /// The one that is named by a file of it, whatever is in there.
    pub(super) fn named(file: &Path, shown: &Path) -> Self {
        let parent = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
        let is_yml = shown.extension().is_some_and(|extension| extension == "yml");
        let web_config = if is_yml { parent(file).join(WEB_CONFIG) } else { file.to_owned() };
        let web_config = Some(web_config).filter(|path| !is_yml || path.is_file());
        Self { folder: parent(file), shown: parent(shown), web_config }
    }

    /// That a forebay.toml is read instead.
    pub(super) fn passed_over(&self, toml: &Path) -> String {
        let what = if self.web_config.is_some() { "web.config" } else { "iisnode.yml" };
        format!("{what} is not read, since {} is there; `forebay import` turns one into the other", toml.display())
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).map_or_else(|_| path.to_owned(), |rest| self.shown.join(rest))
    }
}

/// What came of it, besides the settings.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The files that were read, as messages name them.
    pub(super) files: Vec<PathBuf>,
    /// Those, and those that would be read if they were there. Absolute.
    pub(super) sources: Vec<PathBuf>,
}

/// Lays what the files of `place` say below everything that is already in `layers`.
pub(super) fn load(place: &Place, profile: Profile, sources: &Sources, layers: &mut Layers) -> Loaded {
    let mut loaded = Loaded::default();
    let mut config = WebConfig::default();
    loaded.sources.push(place.folder.join(WEB_CONFIG));
    if let Some(path) = &place.web_config {
        config = web_config::read(path, &place.shown(path));
        loaded.files.push(place.shown(path));
        loaded.sources.clone_from(&config.files);
        loaded.sources.insert(0, path.clone());
    }
    layers.problems.append(&mut config.problems);
    layers.remarks.append(&mut config.remarks);

    let mut values = Values::new(profile);
    for (attribute, given) in config.attributes.drain(..) {
        values.take(attribute, given);
    }
    variables(sources, &mut values, layers);
    expand(sources, &mut values);
    let choice = match script::choose(&place.folder, &config.handlers, &mut layers.remarks) {
        Ok(choice) => choice,
        Err(problem) => {
            layers.problems.push(problem);
            None
        }
    };
    let folder = choice.as_ref().and_then(|choice| choice.script.parent()).unwrap_or(&place.folder).to_owned();
    overrides(place, &folder, &mut values, layers, &mut loaded);
    expand(sources, &mut values);
    let rules = config.rules.take();
    Mapping { values: &values, config: &config, choice: choice.as_ref(), folder: &folder, env: sources.env, layers }
        .apply();
    let logs = layers.draft.app_log.dir.clone();
    let rules = rules.map(|rules| logs.iter().fold(rules, |rules, logs| rules.hiding(logs)));
    layers.draft.site.rules = rules.map(Arc::new);
    loaded
}

/// Lays the defaults of a profile below everything that is already in `layers`.
pub(super) fn defaults(profile: Profile, folder: &Path, sources: &Sources, layers: &mut Layers) {
    let (values, config) = (Values::new(profile), WebConfig::default());
    Mapping { values: &values, config: &config, choice: None, folder, env: sources.env, layers }.defaults();
}

fn variables(sources: &Sources, values: &mut Values, layers: &mut Layers) {
    for attribute in &attributes::ATTRIBUTES {
        let upper = attribute.variable.to_uppercase();
        let Some(text) = (sources.env)(attribute.variable).or_else(|| (sources.env)(&upper)) else { continue };
        if text.is_empty() {
            continue;
        }
        let origin = Origin::Environment(attribute.variable);
        match value::read(attribute, &text.to_string_lossy(), Writer::Variable) {
            Ok((value, remark)) => {
                layers
                    .remarks
                    .extend(remark.map(|text| Remark::new(origin.clone(), format!("{}: {text}", attribute.name))));
                values.take(attribute, Given { value, origin });
            }
            Err((what, hint)) => {
                layers.problems.push(Problem { origin, key: attribute.name.to_owned(), what, hint });
            }
        }
    }
}

/// Puts variables in for `%NAME%`; those that came from a variable are as they are, as upstream.
fn expand(sources: &Sources, values: &mut Values) {
    let expanded: Vec<_> = values
        .given()
        .filter(|(attribute, given)| attribute.expands && !matches!(given.origin, Origin::Environment(_)))
        .filter_map(|(attribute, given)| match &given.value {
            Value::Text(text) if text.contains('%') => {
                let value = Value::Text(value::expand(text, sources.env));
                Some((attribute, Given { value, origin: given.origin.clone() }))
            }
            Value::Text(_) | Value::Number(_) | Value::Switch(_) => None,
        })
        .collect();
    for (attribute, given) in expanded {
        values.take(attribute, given);
    }
}

/// Reads the overrides: beside the script, as upstream, or else beside web.config, where many put them.
fn overrides(place: &Place, folder: &Path, values: &mut Values, layers: &mut Layers, loaded: &mut Loaded) {
    let name = values.text("configOverrides");
    if name.is_empty() {
        return;
    }
    let near = folder.join(name.replace('\\', "/"));
    let above = place.folder.join(name.replace('\\', "/"));
    loaded.sources.push(near.clone());
    if above != near {
        loaded.sources.push(above.clone());
    }
    let Some(path) = [near, above].into_iter().find(|path| path.is_file()) else { return };
    let shown = place.shown(&path);
    loaded.files.push(shown.clone());
    let text = match file::read_text_with_mark(&path, &shown) {
        Ok(text) => text,
        Err(problem) => return layers.problems.push(problem),
    };
    let at = |line: usize| Origin::File { path: shown.clone(), line };
    let parsed = yml::parse(&text);
    let problem = |note: yml::Note| Problem {
        origin: at(note.line),
        key: String::new(),
        what: note.what,
        hint: note.hint.map(str::to_owned),
    };
    layers.problems.extend(parsed.faults.into_iter().map(problem));
    layers.remarks.extend(parsed.remarks.into_iter().map(|note| Remark::new(at(note.line), note.what)));
    let mut seen: Vec<&str> = Vec::new();
    for pair in parsed.pairs {
        override_with(&pair, at(pair.line), values, layers, &mut seen);
    }
}

fn override_with(
    pair: &yml::Pair<'_>,
    origin: Origin,
    values: &mut Values,
    layers: &mut Layers,
    seen: &mut Vec<&'static str>,
) {
    let mut remark = |text: String| layers.remarks.push(Remark::new(origin.clone(), text));
    let Some(attribute) = attributes::find(pair.key) else {
        let hint = attributes::unknown(pair.key).map_or(String::new(), |hint| format!(": {hint}"));
        return remark(format!("{} is not known and does nothing{hint}", pair.key));
    };
    if attribute.name == "configOverrides" {
        return remark("configOverrides names this file, and is for web.config".to_owned());
    }
    if seen.contains(&attribute.name) {
        remark(format!("{} is there twice, the last one counts", attribute.name));
    }
    seen.push(attribute.name);
    match value::read(attribute, pair.value, Writer::Yml) {
        Ok((value, said)) => {
            if let Some(said) = said {
                remark(format!("{}: {said}", attribute.name));
            }
            values.take(attribute, Given { value, origin });
        }
        Err((what, hint)) => layers.problems.push(Problem { origin, key: attribute.name.to_owned(), what, hint }),
    }
}

/// What clients are told about a configuration that cannot be used, in upstream's words first.
pub(super) fn unreadable(errors: &ConfigErrors) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let what = errors.problems().first().map(|problem| match &problem.origin {
        Origin::File { path, .. } => format!("the configuration file {}", name(path)),
        Origin::Environment(variable) => format!("the environment variable {variable}"),
        // A file that cannot be read at all is named by the key.
        Origin::Default | Origin::Flag(_) | Origin::Profile(_) => {
            format!("the configuration file {}", name(Path::new(&problem.key)))
        }
    });
    format!("Forebay was unable to read {}.\n\n{errors}", what.unwrap_or_default())
}

/// The word for a profile.
pub(super) fn profile(word: &str) -> Profile {
    match word {
        "azure" => Profile::Azure,
        "iisnode" => Profile::Iisnode,
        _ => Profile::Native,
    }
}

/// The profile that flag or variable ask for, if they do; whether it is one is checked where settings are read.
pub(super) fn asked(sources: &Sources) -> Option<Profile> {
    let flag = sources.flags.iter().find(|(name, _)| *name == "--profile").and_then(|(_, values)| values.last());
    let word = flag.cloned().or_else(|| (sources.env)("FOREBAY_PROFILE")?.into_string().ok());
    word.filter(|word| !word.is_empty()).map(|word| profile(&word))
}
