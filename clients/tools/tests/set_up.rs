//! The tools that change a kernel's network, against kernels with servers.

mod support;

use std::process::Stdio;

use support::{Network, Said, links};

#[test]
fn interfaces_come_and_go() {
    let network = Network::of_one();
    let rump = |words| network.rump("a", words);
    rump("ifconfig shmif0 create").succeeds("");
    rump("ifconfig shmif0 create").fails(1, "rump ifconfig: shmif0: exists already");
    rump("ifconfig shmif0 linkstr bus").succeeds("");
    rump("ifconfig shmif0 inet 1.2.3.1 netmask 0xffffff00").succeeds("");
    rump("ifconfig -l").succeeds("lo0 shmif0\n");
    rump("ifconfig shmif0").has(&[
        "shmif0: flags=0x1043<UP,BROADCAST,RUNNING,MULTICAST> mtu 1500\n\taddress: ",
        "\n\tlinkstr: bus\n\tinet 1.2.3.1 netmask 0xffffff00 broadcast 1.2.3.255\n",
    ]);
    rump("ifconfig").has(&["lo0: flags=0x1049<", "inet 127.0.0.1", "shmif0: "]);
    // Another address in the place of the first; one more; neither.
    rump("ifconfig shmif0 1.2.4.1/16").succeeds("");
    rump("ifconfig shmif0 inet 10.0.0.1/8 alias mtu 1400").succeeds("");
    let shown = rump("ifconfig shmif0");
    shown.has(&["mtu 1400", "inet 1.2.4.1 netmask 0xffff0000 ", "inet 10.0.0.1 "]);
    assert!(!shown.out.contains("1.2.3.1"), "{}", shown.out);
    rump("ifconfig shmif0 -alias 10.0.0.1 delete down -linkstr").succeeds("");
    let shown = rump("ifconfig -v shmif0");
    shown.has(&["flags=0x1002<BROADCAST,MULTICAST>", "\tinput: ", "\toutput: "]);
    assert!(!shown.out.contains("inet") && !shown.out.contains("linkstr"), "{}", shown.out);
    rump("ifconfig shmif0 destroy").succeeds("");
    rump("ifconfig shmif0 destroy").fails(1, "no such interface; `ifconfig INTERFACE create`");
    rump("ifconfig shmif0").fails(1, "shmif0: no such interface");
    rump("ifconfig lo").fails(1, "did you mean lo0?");
    rump("ifconfig lo0 destroy").fails(1, "lo0 always is");
    rump("ifconfig foo0 create").fails(1, "no kind of interface");
    rump("ifconfig lo0 linkstr bus").fails(1, "has no linkstr");
    rump("ifconfig shmif3 create linkstr a").succeeds("");
    rump("ifconfig shmif3 linkstr b").fails(1, "`-linkstr` takes it off");
    rump("ifconfig shmif3 -linkstr linkstr b destroy").succeeds("");
    rump("ifconfig lo0 crate").fails(1, "did you mean create?\nTry `rump ifconfig --help`.");
    rump("ifconfig lo0 inet 224.0.0.1").fails(1, "no host can have this address");
}

#[test]
fn links_get_a_character_and_lose_it() {
    let mut network = Network::of_one();
    network.boot("b");
    let rump = |words| network.rump("a", words);
    rump("ifconfig shmif0 create linkstr bus inet 1.2.3.1/24").succeeds("");
    network.rump("b", "ifconfig shmif0 create linkstr bus inet 1.2.3.2/24").succeeds("");
    rump("ping -q -c 1 1.2.3.2").has(&[" 0% packet loss"]);
    let words = "delay 20ms jitter 2ms rate 100mbit loss 1% reorder 25% duplicate 0.1% corrupt 0.1% \
                 limit 1000";
    network.rump("a", &format!("ifconfig shmif0 {words}")).succeeds("");
    rump("ifconfig shmif0").has(&[&format!("\tlink: {words}\n")]);
    // What is not said stays; 0 takes one away.
    rump("ifconfig shmif0 loss 100% corrupt 0 jitter 0 delay 1.5ms").succeeds("");
    rump("ifconfig shmif0").has(&[
        "\tlink: delay 1500us rate 100mbit loss 100% reorder 25% duplicate 0.1% limit 1000\n",
    ]);
    rump("ping -q -c 2 -i 0.01 -W 0.05 1.2.3.2").mentions(&["100% packet loss"]);
    rump("ifconfig -v shmif0").has(&["\tlink: 0 packets in it, 2 lost, 0 found it full, "]);
    let json = rump("ifconfig --json shmif0").json();
    assert_eq!((&json[0]["lost"], &json[0]["queued"]), (&2.into(), &0.into()));
    // All or nothing; and what there cannot be is said.
    rump("ifconfig shmif0 rate 1gbit delay 0").fails(1, "reorder needs a delay");
    rump("ifconfig shmif0 loss 90% burst 2").fails(1, "short bursts");
    rump("ifconfig shmif0").has(&["\tlink: delay 1500us rate 100mbit loss 100% "]);
    rump("ifconfig shmif0 delay 20").fails(1, "\"20\" is not a time such as 20ms");
    rump("ifconfig shmif9 delay 20ms").fails(1, "no such interface");
    rump("ifconfig shmif0 -link delay 10ms").succeeds("");
    rump("ifconfig shmif0").has(&["\tlink: delay 10ms\n"]);
    rump("ping -q -c 1 1.2.3.2").has(&[" 0% packet loss"]);
    rump("ifconfig shmif0 -link").succeeds("");
    rump("ifconfig lo0 delay 1ms -link").succeeds("");
    assert!(!rump("ifconfig -v").out.contains("link: "));
}

#[test]
fn bridges_and_virtual_networks() {
    let mut network = Network::line();
    network.boot("d");
    let rump = |words| network.rump("d", words);
    // d joins the right link with another one, on which c has its second address by a tag.
    rump("ifconfig shmif0 create linkstr left up").succeeds("");
    rump("ifconfig shmif1 create linkstr right up").succeeds("");
    rump("ifconfig bridge0 create addm shmif0 addm shmif1 maxaddr 10 timeout 60 up").succeeds("");
    rump("ifconfig bridge0").has(&["bridge0: flags=", "\tmember: shmif0\n\tmember: shmif1\n"]);
    rump("ifconfig shmif0").has(&["PROMISC"]);
    network.rump("a", "ifconfig shmif0 10.0.9.1/24 alias").succeeds("");
    network.rump("c", "ifconfig shmif0 10.0.9.3/24 alias").succeeds("");
    network.rump("a", "ping -c 1 10.0.9.3").has(&["ttl=255 ", "1 received"]);
    // By their addresses, which are random.
    rump("sysctl net.bridge.addresses").has(&["shmif0"]);
    rump("sysctl net.bridge.addresses").has(&["shmif1"]);
    rump("ifconfig bridge0 flush deletem shmif1").succeeds("");
    rump("ifconfig bridge0 deletem shmif1").fails(1, "is no member of it");
    rump("ifconfig bridge0 addm shmif0").fails(1, "is a member of a bridge already");
    rump("ifconfig bridge0 addm lo0").fails(1, "cannot be a member");
    rump("ifconfig bridge0 timeout 0").fails(1, "cannot have that value");
    rump("ifconfig shmif0 addm shmif1").fails(1, "is no bridge");
    rump("ifconfig shmif0 mtu 1400").fails(1, "one MTU");

    for name in ["a", "b"] {
        let n = if name == "a" { 1 } else { 2 };
        let words = format!("ifconfig vlan0 create vlan 7 vlanif shmif0 10.7.0.{n}/24");
        network.rump(name, &words).succeeds("");
    }
    let rump = |words| network.rump("a", words);
    rump("ping -c 1 10.7.0.2").has(&["1 received"]);
    rump("ifconfig vlan0").has(&["RUNNING", "\tvlan: 7 parent: shmif0\n"]);
    rump("ifconfig vlan0 vlan 8 vlanif shmif0").fails(1, "is connected already");
    rump("ifconfig vlan1 create vlan 7 vlanif shmif0").fails(1, "another interface has that");
    rump("ifconfig shmif0 vlan 7 vlanif shmif0").fails(1, "is no vlan");
    rump("ifconfig vlan0 -vlanif").succeeds("");
    assert_ne!(rump("ping -c 1 -W 0.1 10.7.0.2").status, 0);
}

#[test]
fn routes_come_and_go() {
    let network = Network::of_one();
    let rump = |words| network.rump("a", words);
    rump("ifconfig shmif0 create linkstr bus inet 1.2.3.1/24").succeeds("");
    rump("route add -net 1.2.1.0 -netmask 0xffffff00 1.2.3.2")
        .succeeds("add net 1.2.1.0: gateway 1.2.3.2\n");
    rump("route -q add default 1.2.3.3").succeeds("");
    rump("route add 9.9.9.9 1.2.3.2").succeeds("add host 9.9.9.9: gateway 1.2.3.2\n");
    rump("route -n show").has(&[
        "Destination  Gateway  Flags    Mtu  Interface\n",
        "default      1.2.3.3  UGS     1500  shmif0\n",
        "1.2.1.0/24   1.2.3.2  UGS ",
        "1.2.3.0/24   link     UC ",
        "9.9.9.9      1.2.3.2  UGHS ",
    ]);
    rump("route get 1.2.1.7").has(&[
        "   route to: 1.2.1.7\ndestination: 1.2.1.0\n       mask: 255.255.255.0\n",
        "    gateway: 1.2.3.2\n local addr: 1.2.3.1\n  interface: shmif0\n",
        "      flags: <UP,GATEWAY,STATIC>\n        mtu: 1500\n",
    ]);
    rump("route get 5.5.5.5").has(&["destination: default\n"]);
    let json = rump("route --json show").json();
    let routes = json.as_array().unwrap();
    let to = |dst: &str| routes.iter().find(|route| route["destination"] == dst).unwrap();
    assert_eq!((&to("1.2.1.0")["prefix"], &to("1.2.1.0")["mtu"]), (&24.into(), &1500.into()));
    rump("route add 1.2.1/24 1.2.3.2").fails(1, "there is such a route already");
    rump("route add 10/8 7.7.7.7").fails(1, "the gateway is on no link");
    rump("route delete 10/8").fails(1, "there is no such route");
    rump("route delete 1.2.3/24").fails(1, "for routes that an address made");
    rump("route delete -net 1.2.1.0 -netmask 24").succeeds("delete net 1.2.1.0\n");
    rump("route flush").succeeds("flushed 2 routes\n");
    rump("route get 5.5.5.5").fails(1, "there is no such route");
    rump("route -q add -blackhole 10/8").succeeds("");
    rump("netstat -rn").has(&["10.0.0.0/8", "UBS"]);
    rump("route -f").succeeds("flushed 1 routes\n");
}

#[test]
fn values_are_shown_and_set() {
    let network = Network::of_one();
    let rump = |words| network.rump("a", words);
    rump("sysctl net.inet.ip.ttl").succeeds("net.inet.ip.ttl = 64\n");
    rump("sysctl net.inet.ip.ttl=9 -n net.inet.ip.ttl").succeeds("64 -> 9\n9\n");
    rump("sysctl -w net.inet.ip.ttl=64").succeeds("net.inet.ip.ttl: 9 -> 64\n");
    rump("sysctl net.inet.ip").has(&["net.inet.ip.forwarding = 1\n", "net.inet.ip.ttl = 64\n"]);
    rump("sysctl -a").has(&["kern.ostype = anykernel\n", "net.inet.ip.ttl = 64\n"]);
    rump("sysctl -d net.inet.ip.ttl").has(&["net.inet.ip.ttl: hops", "(int, rw)\n"]);
    rump("sysctl kern.components").has(&["name\n", "sysproxy\n"]);
    rump("sysctl kern.msgbuf").has(&["anykernel "]);
    let json = rump("sysctl --json net.inet.ip. kern.ostype kern.components kern.msgbuf").json();
    assert_eq!((&json["net.inet.ip.ttl"], &json["kern.ostype"]), (&64.into(), &"anykernel".into()));
    assert!(json["kern.msgbuf"].is_string());
    assert_eq!(json["kern.components"].as_array().unwrap().len(), 7);
    rump("sysctl net.inet.ip.tlt").fails(1, "did you mean net.inet.ip.ttl?");
    rump("sysctl frobnicate").fails(1, "there is no such name");
    rump("sysctl net.inet.ip.ttl=many").fails(1, "of another kind, or out of range");
    rump("sysctl hw.ncpu=2").fails(1, "only to be read");
    rump("sysctl net.inet.=2").fails(1, "more than one value");
    rump("sysctl").fails(1, "a NAME is missing");
    rump("sysctl -w net.inet.ip.ttl").fails(1, "write NAME=VALUE");
}

#[test]
fn neighbours_are_set_and_forgotten() {
    let network = Network::of_one();
    let rump = |words| network.rump("a", words);
    rump("ifconfig shmif0 create linkstr bus inet 10.0.0.1/24").succeeds("");
    rump("arp -a").succeeds("");
    rump("arp -s 10.0.0.2 b2:a0:0:0:0:2").succeeds("");
    rump("arp 10.0.0.2").succeeds("10.0.0.2 at b2:a0:00:00:00:02 on shmif0 permanent\n");
    rump("arp -an").succeeds("10.0.0.2 at b2:a0:00:00:00:02 on shmif0 permanent\n");
    assert_eq!(rump("arp --json").json()[0]["state"], "static");
    rump("arp -d 10.0.0.2").succeeds("10.0.0.2 deleted\n");
    rump("arp -d 10.0.0.2").fails(1, "nothing is known of it");
    rump("arp -s 11.0.0.2 b2:a0:0:0:0:2").fails(1, "on no link");
    rump("arp -s 10.0.0.3 b2:a0:0:0:0:3").succeeds("");
    rump("arp -d -a").succeeds("1 deleted\n");
}

#[test]
fn tools_go_by_names_of_their_own() {
    let network = Network::of_one();
    let bin = links(&network, &["rump.ifconfig", "rump.frobnicate", "rump"]);
    let run = |name: &str, words: &str| {
        let mut command = network.command("a", "");
        let program = bin.join(name);
        let mut link = std::process::Command::new(program);
        link.args(words.split_whitespace()).stdin(Stdio::null()).current_dir(network.path());
        for (key, value) in command.stdin(Stdio::null()).get_envs() {
            link.env(key, value.unwrap_or_default());
        }
        Said::of(&mut link)
    };
    run("rump.ifconfig", "-l").succeeds("lo0\n");
    run("rump.ifconfig", "lo1").fails(1, "rump.ifconfig: lo1: no such interface");
    run("rump.ifconfig", "--help").has(&[
        "Usage: rump.ifconfig ",
        "Words:",
        "Options:",
        "Examples:",
    ]);
    run("rump.ifconfig", "--version").has(&["rump.ifconfig (anykernel) "]);
    run("rump.frobnicate", "").fails(2, "there is no command \"frobnicate\"");
    run("rump", "help route").has(&["Usage: rump route "]);
    run("rump", "").has(&["Commands:", "ifconfig", "Examples:"]);
    run("rump", "ifcnfig").fails(2, "did you mean ifconfig?");
}

#[test]
fn without_a_server_it_is_said_what_to_do() {
    let network = Network::new();
    let of = |url: &str| {
        let mut command = network.command("a", "ifconfig");
        command.env("RUMP_SERVER", url);
        Said::of(&mut command)
    };
    of("").fails(1, "no server is named; set RUMP_SERVER to its URL");
    of("sock").fails(1, "for a socket file write unix://sock");
    of("unix://sock")
        .fails(1, "no server at unix://sock (No such file or directory); is it running?");
    of("tcp://127.0.0.1:1").fails(1, "no server at tcp://127.0.0.1:1 (Connection refused)");
    let mut ping = network.command("a", "ping 10.0.0.1");
    Said::of(&mut ping).fails(2, "no server at");
}
