//! A Rust file as the rules see it: its tokens, with and without its tests.
//!
//! Tokens rather than text, so that comments and strings never match, and rather than a syntax
//! tree, so that the bodies of macros count too.
//! * [`Source::parse`] reads one file; [`Source::code`] are its tokens without tests,
//!   [`Source::all`] with them; [`Source::code_lines`] counts lines outside of tests.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Attribute, ImplItem, Item, Meta};

use super::Findings;
use super::tree::Tree;

/// One token: an identifier, a literal, or one character of punctuation (brackets included).
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The token as written.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A parsed file.
pub struct Source {
    /// Tokens of what is compiled into the product.
    pub code: Vec<Token>,
    /// Tokens of everything, tests included.
    pub all: Vec<Token>,
    /// Lines of the file that are not in a test item.
    pub code_lines: usize,
    /// Inner attributes of the file (`#![…]`) without blanks, documentation left out.
    pub attributes: Vec<String>,
}

impl Source {
    /// Parses the text of one file. `is_test`: the whole file is a test.
    pub fn parse(text: &str, is_test: bool) -> Result<Source, syn::Error> {
        let mut file = syn::parse_file(text)?;
        let all = flatten(file.to_token_stream());
        let attributes = file
            .attrs
            .iter()
            .filter(|attribute| !attribute.path().is_ident("doc"))
            .map(|attribute| attribute.to_token_stream().to_string().replace(' ', ""))
            .collect();
        if is_test {
            return Ok(Source { code: Vec::new(), all, code_lines: 0, attributes });
        }
        let mut stripper = Stripper { lines: 0 };
        stripper.visit_file_mut(&mut file);
        let code_lines = text.lines().count().saturating_sub(stripper.lines);
        Ok(Source { code: flatten(file.to_token_stream()), all, code_lines, attributes })
    }
}

/// Removes test items and counts their lines.
struct Stripper {
    lines: usize,
}

impl Stripper {
    fn keep(&mut self, attributes: &[Attribute], item: &impl ToTokens) -> bool {
        if !attributes.iter().any(is_test_attribute) {
            return true;
        }
        let span = item.span();
        self.lines += (span.end().line + 1).saturating_sub(span.start().line);
        false
    }
}

impl VisitMut for Stripper {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| self.keep(item_attributes(item), item));
        syn::visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keep(item_attributes(item), item));
        }
        syn::visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            ImplItem::Fn(item) => self.keep(&item.attrs, item),
            ImplItem::Const(item) => self.keep(&item.attrs, item),
            _ => true,
        });
        syn::visit_mut::visit_item_impl_mut(self, block);
    }
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::ExternCrate(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn is_test_attribute(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            syn::parse2(list.tokens.clone()).is_ok_and(|condition| only_in_tests(&condition))
        }
        _ => false,
    }
}

/// Whether a `cfg` condition holds in builds for tests (or the model checker) only.
fn only_in_tests(condition: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated)
            .map(|parts| parts.into_iter().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    match condition {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("loom"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(only_in_tests),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().all(only_in_tests),
        _ => false,
    }
}

fn flatten(tokens: TokenStream) -> Vec<Token> {
    let mut flat = Vec::new();
    push(tokens, &mut flat);
    flat
}

fn push(tokens: TokenStream, flat: &mut Vec<Token>) {
    for tree in tokens {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                flat.push(Token { text: open.into(), line });
                push(group.stream(), flat);
                flat.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            other => flat.push(Token { text: other.to_string(), line }),
        }
    }
}

/// Every Rust file can be parsed; the other rules are blind to those that cannot.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for file in &tree.files {
        if let Some(error) = &file.parse_error {
            let line = error.span().start().line;
            findings.add("parse", &file.path, line, format!("not Rust: {error}; build it first"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let source = Source::parse(text, false).unwrap();
        source.code.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tests_are_left_out_and_not_counted() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n";
        assert_eq!(words(text), "fn a ( ) { }");
        assert_eq!(Source::parse(text, false).unwrap().code_lines, 1);
    }

    #[test]
    fn conditions_are_understood() {
        assert_eq!(words("#[cfg(all(test, not(loom)))] fn a() {}"), "");
        assert_eq!(words("#[cfg(any(test, loom))] fn a() {}"), "");
        assert!(words("#[cfg(any(test, unix))] fn a() {}").contains("fn a"));
        assert!(words("#[cfg(not(test))] fn a() {}").contains("fn a"));
    }

    #[test]
    fn test_functions_of_an_impl_are_left_out() {
        assert_eq!(words("impl A { #[cfg(test)] fn t() {} fn u() {} }"), "impl A { fn u ( ) { } }");
    }

    #[test]
    fn comments_and_strings_are_no_identifiers() {
        let text = "// unsafe\nconst A: &str = \"unsafe\";";
        assert!(Source::parse(text, false).unwrap().all.iter().all(|t| t.text != "unsafe"));
    }

    #[test]
    fn bodies_of_macros_count() {
        assert!(words("macro_rules! m { () => { static X: u8 = 0; } }").contains("static X"));
    }
}
