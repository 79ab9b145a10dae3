//! Reads elements of a web.config and notes what of them has no meaning here, with file and line.

use std::path::Path;

use roxmltree::Node;

use crate::config::{Origin, Problem, Remark};

/// What is wrong, and what is merely different from IIS.
#[derive(Debug, Default)]
pub struct Notes {
    /// What keeps the configuration from being used.
    pub problems: Vec<Problem>,
    /// What is as good as not written.
    pub remarks: Vec<Remark>,
}

/// A file that is read, and the notes about it.
pub(super) struct Reader<'n> {
    pub(super) file: &'n Path,
    pub(super) notes: &'n mut Notes,
}

impl Reader<'_> {
    fn at(&self, node: Node<'_, '_>) -> Origin {
        let line = node.document().text_pos_at(node.range().start).row as usize;
        Origin::File { path: self.file.to_owned(), line }
    }

    /// Something that would change who answers what, and is not possible.
    pub(super) fn problem(&mut self, node: Node<'_, '_>, what: impl Into<String>, hint: &str) {
        let problem = Problem::new(self.at(node), node.tag_name().name(), what);
        self.notes.problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Something that is without effect here.
    pub(super) fn remark(&mut self, node: Node<'_, '_>, what: impl Into<String>) {
        let text = format!("{}: {}", node.tag_name().name(), what.into());
        self.notes.remarks.push(Remark::new(self.at(node), text));
    }

    /// An attribute that is true or false.
    pub(super) fn switch(&mut self, node: Node<'_, '_>, name: &str, otherwise: bool) -> bool {
        match attribute(node, name) {
            None => otherwise,
            Some(text) if text.eq_ignore_ascii_case("true") || text == "1" => true,
            Some(text) if text.eq_ignore_ascii_case("false") || text == "0" => false,
            Some(text) => {
                self.problem(node, format!("{name}: not understood ({text:?}), allowed: \"true\" or \"false\""), "");
                otherwise
            }
        }
    }

    /// An attribute that is one of some words, in any case; the number of the word.
    pub(super) fn word(&mut self, node: Node<'_, '_>, name: &str, words: &[&str]) -> usize {
        let Some(text) = attribute(node, name) else { return 0 };
        words.iter().position(|word| word.eq_ignore_ascii_case(text)).unwrap_or_else(|| {
            let allowed: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            self.problem(node, format!("{name}: not known ({text:?}), allowed: {}", allowed.join(" or ")), "");
            0
        })
    }

    /// Notes elements that are not among those that are known.
    pub(super) fn unknown(&mut self, node: Node<'_, '_>, known: &[&str]) {
        for child in elements(node) {
            if !known.iter().any(|name| child.tag_name().name().eq_ignore_ascii_case(name)) {
                self.remark(child, "has no effect here");
            }
        }
    }
}

/// An attribute of that name, in any case, as the configuration system of IIS compares them.
pub(super) fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attributes().find(|attribute| attribute.name().eq_ignore_ascii_case(name)).map(|attribute| attribute.value())
}

/// The elements in one.
pub(super) fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// The elements of that name in one.
pub(super) fn named<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(node).filter(move |child| child.tag_name().name().eq_ignore_ascii_case(name))
}

/// The first element of that name.
pub(super) fn first<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    named(node, name).next()
}
