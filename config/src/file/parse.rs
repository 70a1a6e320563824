//! The text of a configuration file, key by key.
//!
//! Locking: none.

use std::path::Path;

use character::Character;

use super::{File, Interface, Listed, MAX_CPUS, Options, Route, Sysctl, Value};
use crate::document::{self, At, Document, Error, Section};
use crate::size::size;
use crate::topology::route;
use crate::{inet, link, nearest};

/// A host name of the system interface has at most this many bytes (NetBSD's MAXHOSTNAMELEN).
const MAX_HOSTNAME: usize = base::uname::HOSTNAME_MAX;

pub(super) fn file(path: &str, text: &str) -> Result<File, Error> {
    let document = Document::parse(path, text)?;
    let mut root = document.root();
    let name = root.string("name")?;
    let components = root.strings("components")?;
    let options = root.section("options", "[options]")?;
    let sysctl = root.section("sysctl", "[sysctl]")?;
    let interfaces = root.sections("interface", "[[interface]]")?;
    let routes = root.sections("route", "[[route]]")?;
    let here = root.here();
    root.finish()?;

    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or("kernel");
    let name = name.unwrap_or_else(|| here.with(stem));
    name.read(|name| crate_name(name))?;
    let mut file = File { path: path.to_string(), name: name.value.into(), ..File::default() };
    for component in components {
        file.components.push(listed(&file.components, &component)?);
    }
    if let Some(section) = options {
        file.options = read_options(section)?;
    }
    for (key, value) in sysctl.map(Section::entries).unwrap_or_default() {
        file.sysctls.push(read_sysctl(&file.sysctls, &key, &value)?);
    }
    for section in interfaces {
        file.interfaces.push(read_interface(&file.interfaces, section)?);
    }
    for mut section in routes {
        let (to, via) = route(&mut section)?;
        section.finish()?;
        if file.routes.iter().any(|route| route.to == to.value) {
            return Err(to.error(format!("there are two routes to {}", to.value)));
        }
        file.routes.push(Route { to: to.value, via: via.value });
    }
    Ok(file)
}

/// The name becomes that of a folder, a crate and a program.
fn crate_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let first = name.starts_with(|first: char| first.is_ascii_lowercase());
    match first && name.len() <= 63 && name.chars().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "the name {name:?} does not begin with a small letter, or has more than 63 small \
             letters, digits, dashes and underscores, or others"
        )),
    }
}

fn listed(before: &[Listed], component: &At<'_, &str>) -> Result<Listed, Error> {
    let name = component.value;
    if name == "base" {
        return Err(component.error("\"base\" is in every kernel and is not listed"));
    }
    if before.iter().any(|listed| listed.name == name) {
        return Err(component.error(format!("component {name:?} is listed twice")));
    }
    let (line, column) = component.place();
    Ok(Listed { name: name.to_string(), line, column })
}

fn read_options(mut section: Section<'_>) -> Result<Options, Error> {
    let ncpu = section.integer("ncpu", 1..=i64::from(MAX_CPUS))?;
    let memlimit = section.value("memlimit");
    let hostname = section.string("hostname")?;
    section.finish()?;
    if let Some(hostname) = &hostname {
        hostname.read(|name| match name.len() {
            1..=MAX_HOSTNAME if !name.contains(char::is_control) => Ok(()),
            _ => Err(format!("a host name has 1 to {MAX_HOSTNAME} bytes, none of them control")),
        })?;
    }
    let memlimit = memlimit.map(|value| value.read(bytes)).transpose()?;
    Ok(Options {
        ncpu: ncpu.and_then(|ncpu| u32::try_from(ncpu).ok()),
        memlimit,
        hostname: hostname.map(|hostname| hostname.value.to_string()),
    })
}

fn bytes(value: &document::Value<'_>) -> Result<u64, String> {
    let bytes = match value {
        document::Value::Text(text) => size(text)?,
        document::Value::Integer(number) => {
            u64::try_from(*number).map_err(|_| "\"memlimit\" must not be negative".to_string())?
        }
        other => return Err(format!("\"memlimit\" must be a size, not {other}")),
    };
    match bytes {
        0 => Err("\"memlimit\" must be more than 0; without it there is no limit".to_string()),
        bytes => Ok(bytes),
    }
}

fn read_sysctl(
    before: &[Sysctl],
    key: &At<'_, String>,
    value: &At<'_, document::Value<'_>>,
) -> Result<Sysctl, Error> {
    let name = key.value.clone();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.split('.').any(|part| part.is_empty() || !part.chars().all(plain)) {
        return Err(key.error(format!("{name:?} is not a name such as net.inet.ip.ttl")));
    }
    if before.iter().any(|sysctl| sysctl.name == name) {
        return Err(key.error(format!("{name} is set twice")));
    }
    let value = match value.value {
        document::Value::Integer(number) => Value::Integer(number),
        document::Value::Boolean(answer) => Value::Integer(i64::from(answer)),
        document::Value::Text(text) => Value::Text(text.to_string()),
        document::Value::Other(kind) => {
            return Err(value.error(format!("{name} must be a number or a string, not {kind}")));
        }
    };
    Ok(Sysctl { name, value })
}

fn read_interface(before: &[Interface], mut section: Section<'_>) -> Result<Interface, Error> {
    let name = section.string("name")?;
    let name = section.required("name", name)?;
    let linkstr = section.string("linkstr")?;
    let inet = section.strings("inet")?;
    let up = section.boolean("up")?.unwrap_or(true);
    // From what every link must carry (RFC 791, section 3.2) to what a length field holds.
    let mtu = section.integer("mtu", 68..=65_535)?;
    let character = link::character(&mut section, &Character::default())?;
    section.finish()?;

    name.read(|name| interface_name(name))?;
    if before.iter().any(|interface| interface.name == name.value) {
        let names = before.iter().map(|interface| interface.name.as_str());
        let there = nearest::nearest(name.value, names).unwrap_or_default();
        return Err(name.error(format!("there is an interface {there:?} already")));
    }
    if let Some(linkstr) = &linkstr {
        linkstr.read(|text| match text.is_empty() || text.contains(char::is_control) {
            true => Err("a linkstr names a bus and is not empty".to_string()),
            false => Ok(()),
        })?;
    }
    let mut addresses: Vec<ipnet::Ipv4Net> = Vec::with_capacity(inet.len());
    for text in inet {
        let address = match name.value.starts_with("lo") {
            true => text.read(|text| inet::loopback_address(text))?,
            false => text.read(|text| inet::interface_address(text))?,
        };
        if addresses.iter().any(|other| other.addr() == address.addr()) {
            return Err(text.error(format!("{} is given twice", address.addr())));
        }
        addresses.push(address);
    }
    Ok(Interface {
        name: name.value.to_string(),
        linkstr: linkstr.map(|linkstr| linkstr.value.to_string()),
        inet: addresses,
        up,
        mtu: mtu.and_then(|mtu| u32::try_from(mtu).ok()),
        character,
    })
}

/// A driver and a unit, in the 15 bytes that the system interface has for them (IFNAMSIZ).
fn interface_name(name: &str) -> Result<(), String> {
    let driver = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let unit = name.get(driver.len()..).unwrap_or_default();
    let plain = driver.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let first = driver.starts_with(|first: char| first.is_ascii_lowercase());
    match first && plain && !unit.is_empty() && name.len() <= 15 {
        true => Ok(()),
        false => Err(format!("{name:?} is not a driver and a unit number, such as shmif0")),
    }
}
