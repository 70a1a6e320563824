//! What is written, for the shipped configurations and for one with everything in it.

use super::*;

/// A folder that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = format!("anykernel-config-{name}-{}", std::process::id());
        Scratch(std::env::temp_dir().join(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn make(text: &str, out: &Path, form: Form, linked_statically: bool) -> Assembled {
    let root = crate::source_root();
    let catalogue = Catalogue::scan(&root).unwrap();
    let file = File::parse("edge.toml", text).unwrap();
    let request =
        Request { file: &file, catalogue: &catalogue, root: &root, out, form, linked_statically };
    assemble(&request).unwrap()
}

const EDGE: &str = r#"
components = ["netinet"]
[options]
memlimit = "16M"
hostname = "a \"quoted\" name"
[sysctl]
net.inet.ip.forwarding = true
kern.domainname = "example"
[[interface]]
name = "shmif0"
linkstr = "bus"
inet = ["10.0.0.1/24"]
mtu = 1280
delay = "20ms"
distribution = "normal"
loss = "1%"
limit = 50
[[route]]
to = "default"
via = "10.0.0.2"
"#;

#[test]
fn a_program_is_written() {
    let scratch = Scratch::new("program");
    let made = make(EDGE, &scratch.0, Form::Program, true);
    assert_eq!(made.components, ["net", "netinet", "shmif"]);
    assert_eq!(made.directory, scratch.0.join("edge"));
    let source = std::fs::read_to_string(made.directory.join("src/main.rs")).unwrap();
    assert_eq!(
        source,
        r#"//! The kernel `edge`: net, netinet, shmif.
//!
//! Made from the configuration; what is changed here is lost.
#![forbid(unsafe_code)]

base::kernel!(KERNEL = [net, netinet, shmif]);

/// What the configuration says under `[options]`.
pub fn options() -> base::Options<'static> {
    base::Options {
        name: "edge",
        memlimit: 16777216,
        hostname: "a \"quoted\" name",
        ..base::Options::default()
    }
}

/// What the configuration says beside its options.
pub fn configure(l: &mut base::Lwp<'_>) -> Result<(), String> {
    base::sysctl::set(l, "net.inet.ip.forwarding", base::sysctl::Value::Int(1)).map_err(at("[sysctl] net.inet.ip.forwarding"))?;
    base::sysctl::set(l, "kern.domainname", base::sysctl::Value::Text("example".into())).map_err(at("[sysctl] kern.domainname"))?;
    net::ifnet::config::create(l, "shmif0").map_err(at("[[interface]] shmif0"))?;
    net::ifnet::config::set_linkstr(l, "shmif0", "bus").map_err(at("[[interface]] shmif0, linkstr \"bus\""))?;
    net::ifnet::config::set_mtu(l, "shmif0", 1280).map_err(at("[[interface]] shmif0, mtu 1280"))?;
    net::ifnet::config::set_character(l, "shmif0", |c| *c = net::link::Character { delay: core::time::Duration::from_nanos(20000000), distribution: net::link::Distribution::Normal, loss: net::link::Probability::per_billion(10000000), limit: 50, ..Default::default() }).map_err(at("[[interface]] shmif0, delay 20000000ns distribution normal loss 1.0000000% limit 50"))?;
    net::ifnet::config::add_addr(l, "shmif0", core::net::Ipv4Addr::new(10, 0, 0, 1).into(), 24).map_err(at("[[interface]] shmif0, inet 10.0.0.1/24"))?;
    net::ifnet::config::set_up(l, "shmif0", true).map_err(at("[[interface]] shmif0, up true"))?;
    net::route::config::add(l, net::route::config::Prefix4 { addr: core::net::Ipv4Addr::new(0, 0, 0, 0), len: 0 }, core::net::Ipv4Addr::new(10, 0, 0, 2)).map_err(at("[[route]] 0.0.0.0/0 via 10.0.0.2"))?;
    Ok(())
}

/// The error of an entry of the configuration.
fn at<E: std::fmt::Display>(entry: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{entry}: {error}")
}

fn main() -> std::process::ExitCode {
    let host = linux::Linux::builder().io("shmif", shmif_linux::files()).build();
    config::program::main(host, &KERNEL, options(), configure, None)
}
"#
    );
    let manifest: toml::Table =
        std::fs::read_to_string(&made.manifest).unwrap().parse().expect("the manifest is TOML");
    let names: Vec<_> = manifest["dependencies"].as_table().unwrap().keys().collect();
    assert_eq!(names, ["base", "config", "linux", "net", "netinet", "shmif", "shmif_linux"]);
    assert_eq!(manifest["profile"]["release"]["lto"].as_str(), Some("fat"));
    assert_eq!(manifest["profile"]["release"]["panic"].as_str(), Some("unwind"));
    assert_eq!(manifest["bin"][0]["name"].as_str(), Some("edge"));
    let net = &manifest["dependencies"]["net"];
    assert_eq!(net["package"].as_str(), Some("anykernel-net"));
    assert!(Path::new(net["path"].as_str().unwrap()).is_absolute());
    assert!(made.directory.join(".cargo/config.toml").is_file());

    // A second time, and nothing is touched; dynamically, and the settings are gone.
    let before = std::fs::metadata(&made.manifest).unwrap().modified().unwrap();
    make(EDGE, &scratch.0, Form::Program, false);
    assert_eq!(std::fs::metadata(&made.manifest).unwrap().modified().unwrap(), before);
    assert!(!made.directory.join(".cargo/config.toml").exists());
}

#[test]
fn a_kernel_that_can_be_served_is() {
    let scratch = Scratch::new("server");
    let made = make("components = ['sysproxy']", &scratch.0, Form::Program, false);
    let source = std::fs::read_to_string(made.directory.join("src/main.rs")).unwrap();
    for line in [
        "    let host = linux::Linux::builder().build();\n",
        "    config::program::main(host, &KERNEL, options(), configure, Some(serve))\n",
        "    sysproxy_linux::daemon::serve(&daemon, |bell| {\n",
        "        let service = sysproxy::Service::new(kernel.handle(), bell);\n",
    ] {
        assert!(source.contains(line), "{source}");
    }
}

#[test]
fn a_library_names_neither_a_host_nor_this_crate() {
    let scratch = Scratch::new("library");
    let made = make("components = []", &scratch.0, Form::Library, false);
    let source = std::fs::read_to_string(made.directory.join("src/lib.rs")).unwrap();
    assert!(source.contains("//! The kernel `edge`: the base alone.\n"));
    assert!(source.contains("base::kernel!(KERNEL = []);"));
    let manifest: toml::Table =
        std::fs::read_to_string(&made.manifest).unwrap().parse().expect("the manifest is TOML");
    let names: Vec<_> = manifest["dependencies"].as_table().unwrap().keys().collect();
    assert_eq!(names, ["base"]);
    assert_eq!(manifest["lib"]["name"].as_str(), Some("kernel_edge"));
}

#[test]
fn every_shipped_configuration_is_complete_and_adds_nothing() {
    let root = crate::source_root();
    let catalogue = Catalogue::scan(&root).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("config")).unwrap() {
        let path = entry.unwrap().path();
        let is_manifest = path.file_name().is_some_and(|name| name == "Cargo.toml");
        if path.extension().is_some_and(|extension| extension == "toml") && !is_manifest {
            let file = File::read(&path).unwrap();
            let closure = file.closure(&catalogue.known).unwrap();
            assert_eq!(closure.added, [], "{}", path.display());
            names.push(file.name);
        }
    }
    for shipped in ["base", "net", "netinet", "router", "server"] {
        assert!(names.iter().any(|name| name == shipped), "{shipped} is missing");
    }
}

#[test]
fn an_unknown_component_is_an_error_before_anything_is_written() {
    let scratch = Scratch::new("unknown");
    let root = crate::source_root();
    let catalogue = Catalogue::scan(&root).unwrap();
    let file = File::parse("edge.toml", "components = ['netient']").unwrap();
    let request = Request {
        file: &file,
        catalogue: &catalogue,
        root: &root,
        out: &scratch.0,
        form: Form::Program,
        linked_statically: false,
    };
    assert_eq!(
        assemble(&request).unwrap_err().to_string(),
        "edge.toml:1:15: unknown component \"netient\"; the nearest known one is \"netinet\""
    );
    assert!(!scratch.0.exists());
}
