//! The tools that look at a network, against kernels with servers.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::process::Stdio;

use support::{Network, Said};
use sysproxy_linux::Stopped;

#[test]
fn hosts_answer() {
    let network = Network::line();
    let ping = |words: &str| network.rump("a", &format!("ping {words}"));
    ping("-c 1 10.0.2.2").has(&[
        "PING 10.0.2.2 (10.0.2.2) 56(84) bytes of data.\n",
        "64 bytes from 10.0.2.2: icmp_seq=1 ttl=254 time=",
        "\n\n--- 10.0.2.2 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, ",
        "\nrtt min/avg/max/mdev = ",
    ]);
    ping("-c 300 -i 0 -q 10.0.2.2").has(&["300 packets transmitted, 300 received, 0% packet loss"]);
    ping("-c 2 -i 0.01 -s 4000 10.0.1.2").has(&["4008 bytes from 10.0.1.2: icmp_seq=2 ttl=255"]);
    ping("-c 1 -s 0 127.0.0.1").has(&["8 bytes from 127.0.0.1: icmp_seq=1"]);
}

#[test]
fn hosts_do_not_answer() {
    let network = Network::line();
    let ping = |words: &str| network.rump("a", &format!("ping {words}"));
    let silent = ping("-c 2 -i 0.01 -W 0.1 10.0.1.99");
    assert_eq!((silent.status, silent.err.as_str()), (1, ""));
    silent.mentions(&["2 packets transmitted, 0 received, 100% packet loss"]);
    let far = ping("-c 1 -t 1 10.0.2.2");
    assert_eq!(far.status, 1);
    far.mentions(&["From 10.0.1.2 icmp_seq=1 Time to live exceeded\n", "0 received, +1 errors"]);
    let deadline = ping("-w 0.2 -i 0.01 10.0.1.99");
    assert_eq!(deadline.status, 1);
    network.rump("a", "route -q delete default").succeeds("");
    ping("-c 1 10.0.2.2").fails(2, "there is no route to it");
    ping("-c 1 10.0.1.255").fails(2, "-b allows it");
    ping("-c none 10.0.1.2").fails(2, "not a number\nTry `rump ping --help`.");
}

#[test]
fn stopping_ping_shows_its_statistics() {
    let network = Network::line();
    let mut command = network.command("a", "ping -i 1000 10.0.2.2");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let answer = out.by_ref().find(|line| line.as_ref().is_ok_and(|line| line.contains("time=")));
    assert!(answer.is_some());
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<_> = out.map(Result::unwrap).collect();
    assert!(rest.join("\n").contains("1 packets transmitted, 1 received"), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn routers_on_the_way() {
    let network = Network::line();
    let said = network.rump("a", "traceroute -q 2 -w 5 10.0.2.2");
    said.has(&[
        "traceroute to 10.0.2.2 (10.0.2.2), 30 hops max, 40 byte packets\n",
        " 1  10.0.1.2  ",
        " ms\n 2  10.0.2.2  ",
        " ms\n",
    ]);
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    let silent = network.rump("a", "traceroute -q 1 -w 0.1 -m 1 10.0.1.99");
    silent.has(&["\n 1  *\n"]);
}

#[test]
fn what_a_kernel_has() {
    let network = Network::line();
    network.rump("a", "ping -q -c 1 10.0.2.2").has(&["1 received"]);
    let rump = |words| network.rump("b", words);
    rump("netstat -i").has(&["Name ", "Ipkts", "shmif0 ", "10.0.1.2/24", "shmif1 ", "10.0.2.1/24"]);
    rump("netstat -ib").has(&["Ibytes"]);
    rump("netstat -ss").has(&["ip:\n", "\t2 forwarded\n"]);
    rump("netstat").has(&["Proto  Recv-Q  Send-Q  Local Address  Foreign Address  State\n"]);
    let counters = rump("netstat -s --json").json();
    let find = |name: &str| {
        let counters = counters.as_array().unwrap().iter();
        counters.clone().find(|c| c["group"] == "ip" && c["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(find("forwarded"), 2);
    assert_eq!(rump("netstat --json").json().as_array().unwrap().len(), 0);
    rump("arp").has(&["10.0.1.1 at ", " on shmif0 expires in ", "s\n", "10.0.2.2 at "]);
    let interfaces = rump("ifconfig --json shmif0").json();
    assert_eq!(interfaces[0]["addresses"][0], "10.0.1.2/24");
    assert_eq!(interfaces[0]["flags"][0], "UP");
    rump("netstat -ri").fails(1, "give one");
}

#[test]
fn sockets_have_owners() {
    let network = Network::of_one();
    let url = transport::Url::Unix(network.path().join("a"));
    let client = remote::Client::builder().name("talker").connect(&url).unwrap();
    let rump = |words| network.rump("a", words);
    rump("sockstat -q").succeeds("");
    let listener = remote::TcpListener::bind(&client, "127.0.0.1:80").unwrap();
    let stream = remote::TcpStream::connect(&client, "127.0.0.1:80").unwrap();
    stream.send(b"seven..").unwrap();
    // In the queue of the listening socket: it has no descriptor yet, and so no owner.
    assert_eq!(rump("sockstat -c --json").json().as_array().unwrap().len(), 1);
    let (_accepted, _) = listener.accept().unwrap();
    let _udp = remote::UdpSocket::bind(&client, "0.0.0.0:53").unwrap();
    rump("sockstat").has(&[
        "User  Command  Pid  Fd  Proto  Local Address  ",
        "root  talker  ",
        "  tcp    127.0.0.1:80  ",
        "\nroot  talker  ",
        "\nroot  talker  ",
        "\nroot  talker  ",
        "  udp    *:53  ",
        " *:*\n",
    ]);
    rump("sockstat -ls").has(&["State\n", " LISTEN\n", "udp "]);
    rump("sockstat -lqp 50-60").has(&["udp "]);
    let rows = rump("sockstat -cp 80 --json").json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!((&row["command"], &row["state"]), (&"talker".into(), &"ESTABLISHED".into()));
        assert_eq!((&row["pid"], &row["uid"]), (&client.pid().into(), &0.into()));
    }
    assert!(rows.iter().any(|row| row["local"] == "127.0.0.1:80" && row["recv-q"] == 7));
    // netstat has the states and queues of all, and TCP's counters.
    rump("netstat -a").has(&["  State\n"]);
    let lines = rump("netstat -an").out;
    let words: Vec<Vec<&str>> = lines.lines().map(|l| l.split_whitespace().collect()).collect();
    assert!(words.contains(&vec!["tcp", "0", "0", "127.0.0.1:80", "*:*", "LISTEN"]), "{lines}");
    assert!(words.iter().any(|w| w.starts_with(&["tcp", "7"]) && w.ends_with(&["ESTABLISHED"])));
    rump("netstat -ss").has(&["tcp:\n", " connects\n", " accepts\n", " established\n"]);
    rump("sockstat x").fails(1, "one word too many");
    rump("sockstat -p x").fails(1, "no ports");
    drop(client);
    // It ends when its last descriptor has gone.
    drop((listener, stream, _accepted, _udp));
    rump("sockstat -q").succeeds("");
}

#[test]
fn remote_sockets_are_in_groups() {
    let network = Network::of_one();
    let url = transport::Url::Unix(network.path().join("a"));
    let client = remote::Client::connect(&url.to_string()).unwrap();
    let [group, here] = [[239, 1, 1, 1], [127, 0, 0, 1]].map(std::net::Ipv4Addr::from);
    let [x, y] = [0, 1].map(|_| remote::UdpSocket::bind_shared(&client, "0.0.0.0:5000").unwrap());
    x.join_multicast_v4(&group, &here).unwrap();
    y.join_multicast_v4(&group, &here).unwrap();
    x.set_multicast_if_v4(&here).unwrap();
    x.send_to(b"to all", (group, 5000)).unwrap();
    let mut buf = [0; 16];
    for socket in [&x, &y] {
        assert_eq!(socket.recv(&mut buf).unwrap(), 6);
    }
    y.leave_multicast_v4(&group, &here).unwrap();
    assert!(y.leave_multicast_v4(&group, &here).is_err());
    x.set_multicast_loop_v4(false).unwrap();
    assert!(!x.multicast_loop_v4().unwrap());
    x.send_to(b"to nobody", (group, 5000)).unwrap();
    network.rump("a", "netstat -s").has(&["ip:\n", "not_member", "igmp:\n", "reports_sent"]);
    x.set_nonblocking(true).unwrap();
    assert_eq!(x.recv(&mut buf).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_remote_close_that_lingers_holds_nobody_up() {
    let mut network = Network::new();
    for (name, addr) in [("a", "10.0.1.1/24"), ("b", "10.0.1.2/24")] {
        network.boot(name);
        let words = format!("ifconfig shmif0 create linkstr bus inet {addr}");
        network.rump(name, &words).succeeds("");
    }
    let [a, b] = ["a", "b"].map(|name| {
        let url = transport::Url::Unix(network.path().join(name));
        remote::Client::connect(&url.to_string()).unwrap()
    });
    let listener = remote::TcpListener::bind(&b, "10.0.1.2:80").unwrap();
    let stream = remote::TcpStream::connect(&a, "10.0.1.2:80").unwrap();
    let (server, _) = listener.accept().unwrap();
    stream.set_linger(Some(std::time::Duration::from_secs(60))).unwrap();
    stream.send(b"all of it").unwrap();
    // The link is cut: nothing arrives.
    network.rump("b", "ifconfig shmif0 -linkstr").succeeds("");
    stream.send(b" and more").unwrap();
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| drop(stream));
        // The server serves others meanwhile, the client's too.
        a.getpid().unwrap();
        while !network.rump("a", "netstat -an").out.contains("FIN_WAIT_1") {
            std::thread::yield_now();
        }
        assert!(!closing.is_finished());
        network.rump("b", "ifconfig shmif0 linkstr bus").succeeds("");
        closing.join().unwrap();
    });
    let mut buf = [0; 32];
    let mut read = 0;
    while read < 18 {
        read += server.recv(&mut buf).unwrap();
    }
    assert_eq!(server.recv(&mut buf).unwrap(), 0);
}

#[test]
fn halting_ends_the_server() {
    let mut network = Network::of_one();
    network.rump("a", "halt -d").succeeds("");
    assert_eq!(network.ended("a"), Stopped::Halted);
    network.rump("a", "halt").fails(1, "no server at unix://a");
}

#[test]
fn servers_are_listed() {
    let network = Network::of_one();
    // Others of this user's may run, too.
    let ours = || network.rump("a", "list -q").out.lines().any(|line| line == "unix:///a b");
    assert!(!ours());
    // What a server writes, locked as by a server: the list's place is the environment's, which a
    // test must not change.
    let folder = network.path().join("anykernel");
    std::fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let text = "pid 42\nurl unix:///a b\nkernel router\ndirectory /\ncomponent net\nend \n";
    std::fs::write(folder.join("42-0"), text).unwrap();
    let file = std::fs::File::open(folder.join("42-0")).unwrap();
    file.lock().unwrap();
    assert!(ours());
    network.rump("a", "list").has(&[
        "PID ",
        "COMPONENTS\n",
        "42  unix:///a b ",
        "router ",
        "net\n",
    ]);
    let json = network.rump("a", "list --json").json();
    let entry = json.as_array().unwrap().iter().find(|entry| entry["pid"] == 42).unwrap();
    assert_eq!((&entry["kernel"], &entry["components"][0]), (&"router".into(), &"net".into()));
    drop(file);
    assert!(!ours());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "what is left over goes");
    network.rump("a", "list all").fails(1, "one word too many");
}

#[test]
fn nobody_reads_it() {
    let network = Network::of_one();
    let mut command = network.command("a", "sysctl -a");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let closed = ["-c", "exec \"$0\" ifconfig lo0 up >&- 2>&-", env!("CARGO_BIN_EXE_rump")];
    let mut shell = std::process::Command::new("sh");
    shell.args(closed).current_dir(network.path()).env("RUMP_SERVER", "unix://a");
    Said::of(&mut shell).succeeds("");
    let shows = ["-c", "exec \"$0\" ifconfig >&- 2>&-", env!("CARGO_BIN_EXE_rump")];
    let mut shell = std::process::Command::new("sh");
    shell.args(shows).current_dir(network.path()).env("RUMP_SERVER", "unix://a");
    assert_eq!(Said::of(&mut shell).err, "");
}
