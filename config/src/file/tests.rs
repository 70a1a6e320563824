//! Files and the errors about them.

use super::*;

const FULL: &str = r#"
name = "edge"
components = ["netinet", "shmif"]

[options]
ncpu = 2
memlimit = "16M"
hostname = "edge.example"

[sysctl]
"net.inet.ip.forwarding" = 1
net.inet.ip.ttl = 64
kern.quiet = true

[[interface]]
name = "shmif0"
linkstr = "bus"
inet = ["10.0.0.1/24", "10.0.1.1/24"]
mtu = 1500

[[route]]
to = "default"
via = "10.0.0.2"
"#;

fn known() -> Vec<Known> {
    let known = |name: &str, needs: &[&str]| Known {
        name: name.into(),
        needs: needs.iter().map(|need| need.to_string()).collect(),
    };
    vec![known("net", &[]), known("netinet", &["net"]), known("shmif", &["net"])]
}

#[test]
fn everything_is_understood() {
    let file = File::parse("dir/full.toml", FULL).unwrap();
    assert_eq!(file.name, "edge");
    assert_eq!(file.options.memlimit, Some(16 << 20));
    assert_eq!(file.options.ncpu, Some(2));
    assert_eq!(file.options.hostname.as_deref(), Some("edge.example"));
    let sysctls: Vec<_> = file.sysctls.iter().map(|s| (s.name.as_str(), &s.value)).collect();
    assert_eq!(
        sysctls,
        [
            ("net.inet.ip.forwarding", &Value::Integer(1)),
            ("net.inet.ip.ttl", &Value::Integer(64)),
            ("kern.quiet", &Value::Integer(1)),
        ]
    );
    let [shmif0] = file.interfaces.as_slice() else { panic!("one interface") };
    assert_eq!((shmif0.driver(), shmif0.up, shmif0.mtu), ("shmif", true, Some(1500)));
    assert_eq!(file.routes[0].to.prefix_len(), 0);
}

#[test]
fn links_have_the_words_of_ifconfig() {
    let file = |keys: &str| {
        let text = format!("[[interface]]\nname = 'shmif0'\n{keys}");
        File::parse("f.toml", &text).map_err(|error| error.to_string())
    };
    let shown = |keys| file(keys).unwrap().interfaces[0].character.to_string();
    assert_eq!(shown(""), "");
    assert_eq!(
        shown("delay = '20ms'\nrate = '1gbit'\nloss = '1%'\nlimit = 50\ncorrupt = 0"),
        "delay 20000000ns rate 1000000000bit loss 1.0000000% corrupt 0.0000000% limit 50"
    );
    assert_eq!(
        shown("jitter = '1us'\ndistribution = 'normal'"),
        "jitter 1000ns distribution normal"
    );
    for (keys, says) in [
        (
            "delay = '20'",
            "f.toml:3:9: \"delay\": \"20\" is not a time such as 20ms (ns, us, ms, s)",
        ),
        ("delay = 20", "f.toml:3:9: \"delay\": \"20\" is not a time such as 20ms (ns, us, ms, s)"),
        ("loss = 1.5", "f.toml:3:8: \"loss\": it must be a string, not float"),
        ("loss = '101%'", "f.toml:3:8: \"loss\": \"101%\" is more than all of them, 100%"),
        ("limit = -1", "f.toml:3:9: \"limit\": \"-1\" is not a whole number"),
        (
            "reorder = '1%'",
            "f.toml:1:1: without a delay there is nothing that \"reorder\" could overtake",
        ),
        (
            "dealy = '1ms'",
            "f.toml:3:1: unknown key \"dealy\"; the nearest known one is \"delay\" in [[interface]]",
        ),
    ] {
        assert_eq!(file(keys).unwrap_err(), says);
    }
}

#[test]
fn the_name_is_the_files_unless_it_says_one() {
    assert_eq!(File::parse("a/b/plain.toml", "").unwrap().name, "plain");
    assert_eq!(
        File::parse("a/b/Plain.toml", "").unwrap_err().to_string(),
        "a/b/Plain.toml:1:1: the name \"Plain\" does not begin with a small letter, or has more \
         than 63 small letters, digits, dashes and underscores, or others"
    );
}

#[test]
fn what_the_set_up_calls_for_is_added_and_reported() {
    let text = "components = []\n[[interface]]\nname = 'shmif0'\ninet = ['10.0.0.1/8']";
    let closure = File::parse("x.toml", text).unwrap().closure(&known()).unwrap();
    assert_eq!(closure.components, ["net", "shmif", "netinet"]);
    let added: Vec<_> = closure.added.iter().map(ToString::to_string).collect();
    assert_eq!(
        added,
        [
            "added net: interface shmif0 needs it",
            "added shmif: interface shmif0 needs it",
            "added netinet: the address of interface shmif0 needs it",
        ]
    );
    let closure = File::parse("full.toml", FULL).unwrap().closure(&known()).unwrap();
    assert_eq!(closure.components, ["net", "netinet", "shmif"]);
    assert_eq!(closure.added.len(), 1);
}

#[test]
fn mistakes_name_the_place_and_the_nearest_word() {
    let cases = [
        (
            "components",
            "compnents",
            "f.toml:3:1: unknown key \"compnents\"; the nearest known one is \"components\" \
             in this file",
        ),
        (
            "memlimit",
            "memlimt",
            "f.toml:7:1: unknown key \"memlimt\"; the nearest known one is \"memlimit\" in \
             [options]",
        ),
        ("\"netinet\"", "\"base\"", "f.toml:3:15: \"base\" is in every kernel and is not listed"),
        ("\"netinet\"", "\"shmif\"", "f.toml:3:24: component \"shmif\" is listed twice"),
        ("ncpu = 2", "ncpu = 65", "f.toml:6:8: \"ncpu\" must be between 1 and 64"),
        (
            "ncpu = 2",
            "ncpu = '2'",
            "f.toml:6:8: \"ncpu\" must be a whole number, not of type string",
        ),
        ("\"16M\"", "\"16X\"", "f.toml:7:12: \"16X\" is not a size such as \"16M\""),
        ("\"16M\"", "-1", "f.toml:7:12: \"memlimit\" must not be negative"),
        ("\"16M\"", "true", "f.toml:7:12: \"memlimit\" must be a size, not true or false"),
        (
            "\"16M\"",
            "0",
            "f.toml:7:12: \"memlimit\" must be more than 0; without it there is no limit",
        ),
        (
            "hostname = \"edge.example\"",
            "hostname = \"\"",
            "f.toml:8:12: a host name has 1 to 64 bytes, none of them control",
        ),
        (
            "ip.ttl = 64",
            "ip.ttl = 6.4",
            "f.toml:12:19: net.inet.ip.ttl must be a number or a string, not float",
        ),
        ("ip.ttl = 64", "ip.forwarding = 0", "f.toml:12:13: net.inet.ip.forwarding is set twice"),
        (
            "\"net.inet.ip.forwarding\"",
            "\"net..x\"",
            "f.toml:11:1: \"net..x\" is not a name such as net.inet.ip.ttl",
        ),
        (
            "name = \"shmif0\"",
            "name = \"shmif\"",
            "f.toml:16:8: \"shmif\" is not a driver and a unit number, such as shmif0",
        ),
        ("name = \"shmif0\"\n", "", "f.toml:15:1: [[interface]] has no \"name\""),
        (
            "linkstr = \"bus\"",
            "linkstr = \"\"",
            "f.toml:17:11: a linkstr names a bus and is not empty",
        ),
        ("10.0.1.1/24", "10.0.0.1/16", "f.toml:18:24: 10.0.0.1 is given twice"),
        ("mtu = 1500", "mtu = 67", "f.toml:19:7: \"mtu\" must be between 68 and 65535"),
        ("mtu = 1500", "up = 1", "f.toml:19:6: \"up\" must be true or false, not of type integer"),
        (
            "\"default\"",
            "\"defualt\"",
            "f.toml:22:6: \"defualt\" is not \"default\" or a prefix such as 10.0.0.0/24",
        ),
        ("via = ", "vai = ", "f.toml:21:1: [[route]] has no \"via\""),
    ];
    for (right, wrong, message) in cases {
        assert!(FULL.contains(right), "{right}");
        let text = FULL.replacen(right, wrong, 1);
        let error = File::parse("f.toml", &text).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), message, "{wrong}");
    }
}

#[test]
fn an_unknown_component_points_at_the_list() {
    let text = "components = [\n    'net',\n    'shmfi',\n]";
    let error = File::parse("f.toml", text).unwrap().closure(&known()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f.toml:3:5: unknown component \"shmfi\"; the nearest known one is \"shmif\""
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = File::read(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such.toml: "), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_makes_the_parser_panic(
        text in "\\PC{0,60}",
        at in proptest::prelude::any::<proptest::sample::Index>(),
        length in 0usize..40,
    ) {
        let _ = File::parse("noise", &text);
        let start = at.index(FULL.len());
        let end = (start + length).min(FULL.len());
        let mutated = [FULL.get(..start), Some(&text), FULL.get(end..)];
        let mutated: String = mutated.into_iter().flatten().collect();
        if let Ok(file) = File::parse("mutated", &mutated) {
            let _ = file.closure(&known());
        }
    }
}
