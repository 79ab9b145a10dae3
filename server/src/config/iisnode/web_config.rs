//! web.config: what IIS and iisnode are told about an application, with the line of everything.
//!
//! Read are `<appSettings>` and, of `<system.webServer>`, `<iisnode>`, the handlers of iisnode and the limit of request
//! filtering; also inside `<location>` where that is about the whole folder or the application's script. Everything else
//! belongs to IIS, or to [`crate::site`].

use std::path::{Path, PathBuf};

use roxmltree::{Attribute as XmlAttribute, Document, Node, TextPos};

use super::super::error::{Origin, Problem};
use super::super::file;
use super::Remark;
use super::attributes::{self, Attribute};
use super::value::{self, Given, Writer};
use crate::site::{self, Rules};

/// Attributes that any section of IIS's configuration may have; they say who may override it.
const OF_EVERY_SECTION: [&str; 6] =
    ["lockAttributes", "lockAllAttributesExcept", "lockElements", "lockAllElementsExcept", "lockItem", "configSource"];

/// One `<add modules="iisnode">` of `<handlers>`.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    /// Which requests: a script, or a pattern.
    pub(super) path: String,
    pub(super) origin: Origin,
    /// `responseBufferLimit`, in bytes.
    pub(super) buffer_limit: Option<u64>,
}

/// One `<add>` of `<appSettings>`.
#[derive(Clone, Debug)]
pub(super) struct AppSetting {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// A web.config that was read, and everything to be said about it.
#[derive(Debug, Default)]
pub(super) struct WebConfig {
    pub(super) attributes: Vec<(&'static Attribute, Given)>,
    pub(super) settings: Vec<AppSetting>,
    pub(super) handlers: Vec<Handler>,
    /// Which requests are for the application, and which for files; none without a handler, as all are then.
    pub(super) rules: Option<Rules>,
    /// `maxAllowedContentLength`.
    pub(super) content_length_max: Option<(u64, Origin)>,
    /// Files that it refers to.
    pub(super) files: Vec<PathBuf>,
    pub(super) problems: Vec<Problem>,
    pub(super) remarks: Vec<Remark>,
}

/// Reads the file at `path`; messages name it `shown`.
pub(super) fn read(path: &Path, shown: &Path) -> WebConfig {
    let mut config = WebConfig::default();
    let text = match file::read_text(path, shown) {
        Ok(text) => text,
        Err(problem) => {
            config.problems.push(problem);
            return config;
        }
    };
    match parse(&text, shown) {
        Ok(document) => {
            let mut reader = Reader { shown, folder: path.parent().unwrap_or(Path::new("")), config: &mut config };
            reader.root(document.root_element());
        }
        Err(problem) => config.problems.push(problem),
    }
    config
}

fn parse<'a>(text: &'a str, shown: &Path) -> Result<Document<'a>, Problem> {
    Document::parse(text).map_err(|error| {
        let TextPos { row, .. } = error.pos();
        let origin = Origin::File { path: shown.to_owned(), line: row as usize };
        Problem::new(origin, "", format!("not XML ({error})")).hint("IIS would refuse the file too")
    })
}

struct Reader<'a> {
    shown: &'a Path,
    folder: &'a Path,
    config: &'a mut WebConfig,
}

/// The child elements of this name.
fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

impl Reader<'_> {
    fn origin(&self, node: Node<'_, '_>, at: usize) -> Origin {
        Origin::File { path: self.shown.to_owned(), line: node.document().text_pos_at(at).row as usize }
    }

    fn of_attribute(&self, node: Node<'_, '_>, attribute: XmlAttribute<'_, '_>) -> Origin {
        self.origin(node, attribute.range().start)
    }

    fn of_node(&self, node: Node<'_, '_>) -> Origin {
        self.origin(node, node.range().start)
    }

    fn wrong(&mut self, origin: Origin, key: &str, what: String, hint: Option<String>) {
        self.config.problems.push(Problem { origin, key: key.to_owned(), what, hint });
    }

    fn remark(&mut self, origin: Origin, text: impl Into<String>) {
        self.config.remarks.push(Remark::new(origin, text));
    }

    fn root(&mut self, root: Node<'_, '_>) {
        if !root.has_tag_name("configuration") {
            let what = format!("not a web.config (<{}>), allowed: <configuration>", root.tag_name().name());
            return self.wrong(self.of_node(root), "", what, None);
        }
        for node in children(root, "appSettings") {
            self.app_settings(node);
        }
        let mut own: Vec<_> = children(root, "system.webServer").collect();
        own.iter().for_each(|&server| self.web_server(server));
        for location in children(root, "location") {
            let path = location.attribute("path").unwrap_or_default();
            let is_script = self.config.handlers.iter().any(|handler| handler.path == path);
            if matches!(path, "" | ".") || is_script {
                children(location, "system.webServer").for_each(|server| self.web_server(server));
                own.extend(children(location, "system.webServer").filter(|_| !is_script));
                children(location, "appSettings").for_each(|node| self.app_settings(node));
            } else if location.descendants().any(|node| node.has_tag_name("iisnode")) {
                let text =
                    format!("<location path={path:?}>: its <iisnode> is not used, since it is for a part of the site");
                self.remark(self.of_node(location), text);
            }
        }
        let (rules, notes) = site::read(&own, self.folder.to_owned(), self.shown);
        self.config.rules = rules;
        self.config.problems.extend(notes.problems);
        self.config.remarks.extend(notes.remarks);
    }

    fn web_server(&mut self, server: Node<'_, '_>) {
        for handlers in children(server, "handlers") {
            children(handlers, "add").for_each(|add| self.handler(add));
        }
        for section in children(server, "iisnode") {
            self.iisnode(section);
        }
        let security = children(server, "security").flat_map(|node| children(node, "requestFiltering"));
        for limits in security.flat_map(|node| children(node, "requestLimits")) {
            self.request_limits(limits);
        }
    }

    fn handler(&mut self, add: Node<'_, '_>) {
        let modules = add.attribute("modules").unwrap_or_default();
        if !modules.split(',').any(|module| module.trim().eq_ignore_ascii_case("iisnode")) {
            return;
        }
        let buffer_limit = add.attribute_node("responseBufferLimit").and_then(|limit| {
            let parsed = limit.value().trim().parse().ok();
            if parsed.is_none() {
                let what = format!("not understood ({:?}), allowed: bytes", limit.value());
                self.wrong(self.of_attribute(add, limit), "responseBufferLimit", what, None);
            }
            parsed
        });
        let Some(path) = add.attribute_node("path") else {
            let hint = "name the script, as in path=\"server.js\"".to_owned();
            return self.wrong(self.of_node(add), "handlers", "a handler without a path".to_owned(), Some(hint));
        };
        let origin = self.of_attribute(add, path);
        self.config.handlers.push(Handler { path: path.value().replace('\\', "/"), origin, buffer_limit });
    }

    fn iisnode(&mut self, section: Node<'_, '_>) {
        for given in section.attributes() {
            let name = given.name();
            if OF_EVERY_SECTION.contains(&name) {
                continue;
            }
            let origin = self.of_attribute(section, given);
            // Names in XML are exact; a reader who got upper and lower case wrong is told so.
            let Some(attribute) = attributes::find(name).filter(|attribute| attribute.name == name) else {
                let hint = match attributes::find(name) {
                    Some(attribute) => Some(format!("did you mean {}?", attribute.name)),
                    None => attributes::unknown(name),
                };
                self.wrong(origin, name, "unknown attribute of <iisnode>".to_owned(), hint);
                continue;
            };
            match value::read(attribute, given.value(), Writer::Xml) {
                Ok((value, _)) => self.config.attributes.push((attribute, Given { value, origin })),
                Err((what, hint)) => self.wrong(origin, name, what, hint),
            }
        }
    }

    fn request_limits(&mut self, limits: Node<'_, '_>) {
        let Some(most) = limits.attribute_node("maxAllowedContentLength") else { return };
        let origin = self.of_attribute(limits, most);
        match most.value().trim().parse::<u32>() {
            Ok(bytes) => self.config.content_length_max = Some((bytes.into(), origin)),
            Err(_) => {
                let what = format!("not understood ({:?}), allowed: bytes, 0 to 4294967295", most.value());
                self.wrong(origin, "maxAllowedContentLength", what, None);
            }
        }
    }

    fn app_settings(&mut self, section: Node<'_, '_>) {
        for child in section.children().filter(Node::is_element) {
            let key = child.attribute("key").unwrap_or_default();
            match child.tag_name().name() {
                "add" => self.app_setting(child, key),
                "remove" => self.config.settings.retain(|setting| setting.name != key),
                "clear" => self.config.settings.clear(),
                other => {
                    self.remark(self.of_node(child), format!("appSettings: <{other}> is not known and does nothing"))
                }
            }
        }
        let elsewhere = section.attribute_node("file").or_else(|| section.attribute_node("configSource"));
        if let Some(file) = elsewhere {
            self.settings_file(file.value(), self.of_attribute(section, file));
        }
    }

    fn app_setting(&mut self, add: Node<'_, '_>, name: &str) {
        let origin = self.of_node(add);
        let value = add.attribute("value").unwrap_or_default().to_owned();
        if name.is_empty() {
            return self.remark(origin, "appSettings: an entry without a key is skipped, as upstream");
        }
        if name.contains(['=', '\0']) || value.contains('\0') {
            let what = format!("no variable ({name:?}), allowed: a name without \"=\"");
            return self.wrong(origin, "appSettings", what, None);
        }
        if name == "PORT" || name.starts_with("FOREBAY_") {
            let text =
                format!("appSettings: {name} is skipped: Forebay sets it itself, each worker has a PORT of its own");
            return self.remark(origin, text);
        }
        match self.config.settings.iter_mut().find(|setting| setting.name == name) {
            // What a file says goes over what is written in place; of two in one place the first counts, as upstream.
            Some(earlier) if !is_same_file(&earlier.origin, &origin) => {
                *earlier = AppSetting { value, origin, ..earlier.clone() }
            }
            Some(_) => self.remark(origin, format!("appSettings: {name} is there twice, the first one counts")),
            None => self.config.settings.push(AppSetting { name: name.to_owned(), value, origin }),
        }
    }

    /// The file that `<appSettings file="…">` names; its root is `<appSettings>` too. A missing one is none, as in .NET.
    fn settings_file(&mut self, name: &str, origin: Origin) {
        let local = name.replace('\\', "/");
        let (path, shown) = (self.folder.join(&local), self.shown.with_file_name(&local));
        self.config.files.push(path.clone());
        if !path.exists() {
            return self.remark(origin, format!("appSettings: the file {name} does not exist"));
        }
        let text = match file::read_text(&path, &shown) {
            Ok(text) => text,
            Err(problem) => return self.config.problems.push(problem),
        };
        match parse(&text, &shown) {
            Err(problem) => self.config.problems.push(problem),
            Ok(document) => {
                let root = document.root_element();
                let mut reader = Reader { shown: &shown, folder: self.folder, config: self.config };
                if !root.has_tag_name("appSettings") {
                    let what = format!("not settings (<{}>), allowed: <appSettings>", root.tag_name().name());
                    return reader.wrong(reader.of_node(root), "", what, None);
                }
                for add in children(root, "add") {
                    reader.app_setting(add, add.attribute("key").unwrap_or_default());
                }
            }
        }
    }
}

fn is_same_file(a: &Origin, b: &Origin) -> bool {
    matches!((a, b), (Origin::File { path: a, .. }, Origin::File { path: b, .. }) if a == b)
}
