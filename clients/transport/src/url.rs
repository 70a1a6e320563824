//! Where a server is.
//!
//! * `unix://path`: a socket file, relative to the working directory; `unix:///path`: absolute.
//! * `tcp://host:port`, with or without a slash at its end. For a server, the host may be `0` or
//!   `*`: any address of the machine.
//! * `tcp://host:port?key=FILE`: authenticated and encrypted with the key in that file.
//!
//! Locking: none. Sources: the book, section 3.12 (the form of the URLs).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::UrlError;

/// The longest path that fits into a `sockaddr_un`, which ends with a zero.
pub(crate) const MAX_UNIX_PATH: usize = 107;

/// Where a server is. One that was parsed is displayed so that it parses to the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Url {
    /// A socket file.
    Unix(PathBuf),
    /// A TCP port.
    Tcp {
        /// Name or address of the host; `0` is any address.
        host: String,
        /// The port.
        port: u16,
        /// The file with the key, if the stream is authenticated.
        key: Option<PathBuf>,
    },
}

/// The schemes there are.
const SCHEMES: [&str; 2] = ["unix", "tcp"];

/// How a server says "any address".
pub(crate) const ANY: &str = "0";

impl Url {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(UrlError::NoScheme { text: text.into() });
        };
        match scheme {
            "unix" => unix(rest),
            "tcp" => tcp(rest),
            _ => Err(UrlError::Scheme { scheme: scheme.into(), nearest: nearest(scheme) }),
        }
    }

    /// The same with a path that holds from any working directory.
    #[must_use]
    pub fn absolute(&self) -> Url {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
        match self {
            Url::Unix(path) => Url::Unix(absolute(path)),
            Url::Tcp { host, port, key } => {
                Url::Tcp { host: host.clone(), port: *port, key: key.as_deref().map(absolute) }
            }
        }
    }

    /// The file with the key, if the stream is authenticated.
    pub fn key(&self) -> Option<&Path> {
        match self {
            Url::Unix(_) => None,
            Url::Tcp { key, .. } => key.as_deref(),
        }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        Url::parse(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Url::Unix(path) => write!(f, "unix://{}", path.display()),
            Url::Tcp { host, port, key } => {
                write!(f, "tcp://{host}:{port}")?;
                key.as_ref().map_or(Ok(()), |key| write!(f, "?key={}", key.display()))
            }
        }
    }
}

fn unix(path: &str) -> Result<Url, UrlError> {
    if path.is_empty() {
        return Err(UrlError::NoPath);
    }
    if path.contains('\0') {
        return Err(UrlError::Zero);
    }
    if path.len() > MAX_UNIX_PATH {
        return Err(UrlError::PathTooLong { len: path.len() });
    }
    Ok(Url::Unix(path.into()))
}

fn tcp(rest: &str) -> Result<Url, UrlError> {
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.strip_suffix('/').unwrap_or(place);
    if place.starts_with('[') || place.matches(':').count() > 1 {
        return Err(UrlError::Ipv6);
    }
    let (host, port) = place.split_once(':').unwrap_or((place, ""));
    if port.is_empty() {
        return Err(UrlError::NoPort { host: host.into() });
    }
    let all_digits = port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|_| all_digits);
    let port = port.ok_or_else(|| UrlError::Port { place: place.into() })?;
    let host = if host == "*" { ANY } else { host };
    let named = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if host.is_empty() || !host.bytes().all(named) {
        return Err(UrlError::Host { host: host.into() });
    }
    Ok(Url::Tcp { host: host.into(), port, key: key_option(options)? })
}

/// The one option that there is.
fn key_option(options: &str) -> Result<Option<PathBuf>, UrlError> {
    let mut key = None;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("key", file)) if !file.is_empty() && key.is_none() => key = Some(file.into()),
            _ => return Err(UrlError::Option { option: option.into() }),
        }
    }
    Ok(key)
}

/// The scheme that was meant, if one is near.
fn nearest(scheme: &str) -> Option<&'static str> {
    let small = scheme.to_ascii_lowercase();
    SCHEMES.into_iter().find(|known| strsim::damerau_levenshtein(known, &small) <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tcp(host: &str, port: u16, key: Option<&str>) -> Url {
        Url::Tcp { host: host.into(), port, key: key.map(Into::into) }
    }

    #[test]
    fn what_urls_say() {
        for (text, url) in [
            ("unix://sock", Url::Unix("sock".into())),
            ("unix:///tmp/a?b", Url::Unix("/tmp/a?b".into())),
            ("tcp://localhost:7000", tcp("localhost", 7000, None)),
            ("tcp://127.0.0.1:7/", tcp("127.0.0.1", 7, None)),
            ("tcp://*:7", tcp("0", 7, None)),
            ("tcp://0:0/", tcp("0", 0, None)),
            ("tcp://h:7/?key=a/b", tcp("h", 7, Some("a/b"))),
        ] {
            assert_eq!(Url::parse(text).as_ref(), Ok(&url), "{text}");
            assert_eq!(Url::parse(&url.to_string()), Ok(url));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("unix://{}", "x".repeat(108));
        for (text, says) in [
            ("sock", "unix://sock"),
            ("unx://sock", "unix"),
            ("TCP://h:7", "tcp"),
            ("http://h:7", "unix://path or tcp://"),
            ("unix://", "path"),
            ("unix://a\0b", "zero"),
            (&long, "108"),
            ("tcp://h", "tcp://h:"),
            ("tcp://h:", "port"),
            ("tcp://h:70000", "65535"),
            ("tcp://h:+7", "65535"),
            ("tcp://:7", "host"),
            ("tcp://a b:7", "host"),
            ("tcp://[::1]:7", "IPv6"),
            ("tcp://::1:7", "IPv6"),
            ("tcp://h:7?kee=a", "key=FILE"),
            ("tcp://h:7?key=", "key=FILE"),
        ] {
            let error = Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Url::parse(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn a_path_holds_from_everywhere() {
        let Url::Unix(path) = Url::parse("unix://sock").unwrap().absolute() else { panic!() };
        assert!(path.is_absolute() && path.ends_with("sock"));
    }

    proptest! {
        #[test]
        fn what_parses_is_displayed_as_it_parses(
            text in "(unix|tcp)://[a-z0-9./*:?=&\\[-]{0,12}(:[0-9]{1,5})?/?(\\?key=[a-z/]{1,4})?"
        ) {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.to_string()), Ok(url));
            }
        }

        #[test]
        fn anything_is_read_or_refused(text in ".*") {
            let _ = Url::parse(&text);
        }
    }
}
