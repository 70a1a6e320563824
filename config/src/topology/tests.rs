//! Every planned ping is walked through the planned tables, there and back.

use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// Every ping arrives at its node, returns, within the TTL, over as many links as planned.
fn check(plan: &Topology) {
    let tables = Tables::new(plan);
    for ping in &plan.pings {
        let walked = tables.ping(ping.from, ping.to).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(walked, *ping, "from {}", plan.nodes[ping.from as usize].name);
        assert!(ping.hops <= MAX_HOPS && ping.reply_hops <= MAX_HOPS);
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop::sample::select(Shape::NAMES.map(|(_, shape)| shape).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_ping_of_a_generated_plan_comes_back(shape in shapes(), nodes in 2u64..1500) {
        match generate(shape, nodes) {
            Ok(plan) => {
                prop_assert_eq!(plan.nodes.len() as u64, nodes);
                check(&plan);
            }
            Err(error) => {
                prop_assert_eq!(error, PlanError::RingTooLong { nodes });
                prop_assert!(nodes > u64::from(MAX_RING));
            }
        }
    }

    #[test]
    fn automatic_routes_are_shortest_and_reach_everything(
        joins in prop::collection::vec((0usize..20, 0usize..20), 1..40),
        nodes in 2usize..20,
    ) {
        let text = random_file(nodes, &joins);
        let mut plan = parse("random", &text).expect("the file is well-formed");
        plan.pings.clear();
        let distances = naive_distances(&plan);
        let tables = Tables::new(&plan);
        for (from, row) in distances.iter().enumerate() {
            for (to, node) in plan.nodes.iter().enumerate() {
                for interface in &node.interfaces {
                    let walked = tables.walk(from as u32, interface.address.addr());
                    match row[to] {
                        None => prop_assert!(walked.is_err()),
                        // The shortest way to the network may end at its other member.
                        Some(near) => {
                            let hops = walked.expect("they are connected").hops as usize;
                            prop_assert!(hops >= near && hops <= near + 1, "{text}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", auto in any::<bool>(),
                                      at in any::<prop::sample::Index>(), length in 0usize..30) {
        let _ = parse("noise", &text);
        // A piece of a proper file replaced: most of these get past the TOML parser.
        let mut file = format!("auto = {auto}\n{SQUARE}");
        let start = at.index(file.len());
        let end = (start + length).min(file.len());
        file.replace_range(start..end, &text.chars().take(length).collect::<String>());
        let _ = parse("mutated", &file);
        if start == end {
            return Ok(());
        }
        let mut file = SQUARE.to_string();
        let digit = at.index(10).to_string();
        let digits: Vec<_> = SQUARE.match_indices(|c: char| c.is_ascii_digit()).collect();
        let place = digits[at.index(digits.len())].0;
        file.replace_range(place..=place, &digit);
        if let Ok(plan) = parse("digits", &file) {
            check(&plan);
        }
    }
}

/// Joins nodes by point-to-point links; a node alone keeps a link of its own.
fn random_file(nodes: usize, joins: &[(usize, usize)]) -> String {
    let mut interfaces = vec![Vec::new(); nodes];
    let mut links = Vec::new();
    for (one, other) in joins.iter().map(|(one, other)| (one % nodes, other % nodes)) {
        if one != other {
            let k = links.len();
            links.push(format!("\"l{k}\""));
            interfaces[one].push(format!("{{ link = \"l{k}\", inet = \"10.1.{k}.1/24\" }}"));
            interfaces[other].push(format!("{{ link = \"l{k}\", inet = \"10.1.{k}.2/24\" }}"));
        }
    }
    let mut text = format!("auto = true\nlinks = [{}, \"stub\"]\n", links.join(", "));
    text = text.replace("[, ", "[");
    for (node, interfaces) in interfaces.iter().enumerate() {
        text += &format!("[[node]]\nname = \"n{node}\"\n");
        text += &format!("interfaces = [{}]\n", interfaces.join(", "));
    }
    // A ping that always works, so that the file does not ask for unconnected ones.
    text += "[[node]]\nname = \"x\"\ninterfaces = [{ link = \"stub\", inet = \"10.9.0.1/24\" }]\n";
    text += "[[ping]]\nfrom = \"x\"\nto = \"x\"\n";
    text
}

/// Hops between nodes by relaxing until nothing changes.
fn naive_distances(plan: &Topology) -> Vec<Vec<Option<usize>>> {
    let count = plan.nodes.len();
    let joined = |one: &Node, other: &Node| {
        one.interfaces.iter().any(|a| other.interfaces.iter().any(|b| a.link == b.link))
    };
    let mut distances = vec![vec![None; count]; count];
    for (node, row) in distances.iter_mut().enumerate() {
        row[node] = Some(0);
    }
    for _ in 0..count {
        for one in 0..count {
            for other in 0..count {
                if one != other && joined(&plan.nodes[one], &plan.nodes[other]) {
                    let through = distances[other].clone();
                    for (best, hops) in distances[one].iter_mut().zip(through) {
                        *best = (*best).into_iter().chain(hops.map(|hops| hops + 1)).min();
                    }
                }
            }
        }
    }
    distances
}

#[test]
fn the_extremes_of_each_shape_work() {
    let sizes = [(Shape::Ring, 511), (Shape::Ring, 510), (Shape::Line, 20_000)];
    for (shape, nodes) in sizes.into_iter().chain([(Shape::Star, 9_999), (Shape::Tree, 70_001)]) {
        check(&generate(shape, nodes).expect("of that size there is one"));
    }
}

#[test]
fn windows_cross_every_link_of_a_line() {
    for nodes in [2u32, 254, 255, 256, 508, 509, 510, 1000, 100_000] {
        let plan = line::plan(nodes);
        let hops: u32 = plan.pings.iter().map(|ping| ping.hops).sum();
        assert_eq!(hops, nodes - 1, "{nodes} nodes");
        assert!(plan.pings.iter().all(|ping| ping.hops <= 254));
    }
}

#[test]
fn what_cannot_be_planned_is_refused_with_a_reason() {
    let refuse = |shape, nodes| generate(shape, nodes).unwrap_err().to_string();
    assert_eq!(refuse(Shape::Line, 0), "a topology needs at least 2 nodes, not 0");
    assert_eq!(refuse(Shape::Star, 1), "a topology needs at least 2 nodes, not 1");
    assert_eq!(
        refuse(Shape::Line, 8_257_024),
        "8257024 nodes are too many: with one /24 a node from 1.2.1.0 on, \
         8257023 fit below the loopback network 127.0.0.0/8"
    );
    assert_eq!(
        refuse(Shape::Ring, 512),
        "a ring of 512 nodes is too long: node 1 would be 256 hops away and a packet \
         crosses at most 255; at most 511 nodes"
    );
    assert_eq!(
        "rign".parse::<Shape>().unwrap_err(),
        "unknown topology \"rign\"; the nearest known one is \"ring\""
    );
}

#[test]
fn walks_say_where_they_end() {
    let mut plan = line::plan(5);
    let end = |plan: &Topology, from, to: &str| {
        Tables::new(plan).ping(from, to.parse().unwrap()).unwrap_err().to_string()
    };
    assert_eq!(end(&plan, 2, "1.2.9.9"), "1.2.9.9 is not reachable from node3: no route at node3");
    plan.nodes[2].routes.push(Route { to: Ipv4Net::default(), via: range::far(3) });
    assert_eq!(end(&plan, 2, "1.2.9.9"), "1.2.9.9 is not reachable from node3: no route at node2");
    plan.nodes[1].routes.push(Route { to: Ipv4Net::default(), via: range::near(3) });
    assert_eq!(
        end(&plan, 2, "1.2.9.9"),
        "1.2.9.9 is not reachable from node3: after 255 hops it is only at node2"
    );
    assert_eq!(
        end(&plan, 4, "1.2.1.77"),
        "1.2.1.77 is not reachable from node5: at node1, nobody on link1 has 1.2.1.77"
    );
    plan.nodes[0].routes.clear();
    assert_eq!(
        end(&plan, 4, "1.2.1.1"),
        "a ping of 1.2.1.1 has no way back: 1.2.5.1 is not reachable from node1: no route at node1"
    );
}

#[test]
fn a_hundred_thousand_nodes_are_planned_quickly() {
    // The figure is 100 ms for an optimised build; the bound leaves room for this one.
    for shape in [Shape::Line, Shape::Star, Shape::Tree] {
        let start = Instant::now();
        let plan = generate(shape, 100_000).unwrap();
        let taken = start.elapsed();
        println!("{shape}: {taken:?} for {} nodes", plan.nodes.len());
        assert!(taken.as_millis() < 2_000, "{shape} took {taken:?}");
    }
}

#[test]
fn names_are_found_or_the_nearest_is_named() {
    let plan = line::plan(3);
    assert_eq!(plan.link("link2"), Ok(1));
    assert_eq!(plan.node("node3"), Ok(2));
    assert_eq!(
        plan.link("lnik3").unwrap_err(),
        "unknown link \"lnik3\"; the nearest known one is \"link3\""
    );
}

const SQUARE: &str = r#"
links = ["left", "right"]

[[node]]
name = "a"
interfaces = [{ link = "left", inet = "10.0.1.1/24" }]
routes = [{ to = "10.0.2.0/24", via = "10.0.1.2" }]

[[node]]
name = "b"
interfaces = [
    { link = "left", inet = "10.0.1.2/24" },
    { link = "right", inet = "10.0.2.1/24" },
]

[[node]]
name = "c"
interfaces = [{ link = "right", inet = "10.0.2.2/24" }]
routes = [{ to = "default", via = "10.0.2.1" }]

[[ping]]
from = "c"
to = "a"
"#;

#[test]
fn a_file_is_understood() {
    let plan = parse("t.toml", SQUARE).unwrap();
    check(&plan);
    let to = "10.0.1.1".parse().unwrap();
    assert_eq!(plan.pings, [Ping { from: 2, to, hops: 2, reply_hops: 2 }]);
}

#[test]
fn mistakes_in_a_file_name_the_line_and_the_nearest_word() {
    let cases = [
        ("name = \"b\"", "name = \"a\"", "t.toml:10:8: there are two nodes \"a\""),
        (
            "link = \"right\", inet = \"10.0.2.2",
            "link = \"rigth\", inet = \"10.0.2.2",
            "t.toml:18:24: unknown link \"rigth\"; the nearest known one is \"right\"",
        ),
        (
            "routes = [{ to = \"default\"",
            "ruotes = [{ to = \"default\"",
            "t.toml:19:1: unknown key \"ruotes\"; the nearest known one is \"routes\" in [[node]]",
        ),
        ("10.0.1.2/24", "10.0.1.1/24", "t.toml:12:29: \"a\" has 10.0.1.1 on this link"),
        (
            "10.0.2.1/24",
            "10.0.1.3/24",
            "t.toml:13:30: another interface of this node is in 10.0.1.0/24 too",
        ),
        (
            "via = \"10.0.2.1\"",
            "via = \"10.0.2.9\"",
            "t.toml:19:35: no node on link \"right\" has 10.0.2.9",
        ),
        (
            "via = \"10.0.2.1\"",
            "via = \"10.0.3.1\"",
            "t.toml:19:35: no interface of \"c\" is on a link with 10.0.3.1",
        ),
        ("via = \"10.0.2.1\"", "via = \"10.0.2.2\"", "t.toml:19:35: 10.0.2.2 is \"c\" itself"),
        (
            "from = \"c\"",
            "from = \"d\"",
            "t.toml:22:8: unknown node \"d\"; the nearest known one is \"a\"",
        ),
        (
            "to = \"a\"",
            "to = \"10.0.9.9\"",
            "t.toml:23:6: 10.0.9.9 is not reachable from c: no route at b",
        ),
        (
            "routes = [{ to = \"10.0.2.0/24\", via = \"10.0.1.2\" }]",
            "",
            "t.toml:23:6: a ping of 10.0.1.1 has no way back: 10.0.2.2 is not reachable from a: \
             no route at a",
        ),
        (
            "\"left\", \"right\"",
            "\"left\", \"a/b\"",
            "t.toml:2:18: the name of a link begins with a letter and has at most 63 letters, \
             digits, dots, dashes and underscores",
        ),
        (
            "links = [\"left\"",
            "auto = 1\nlinks = [\"left\"",
            "t.toml:2:8: \"auto\" must be true or false, not of type integer",
        ),
    ];
    for (right, wrong, message) in cases {
        assert!(SQUARE.contains(right), "{right}");
        let text = SQUARE.replacen(right, wrong, 1);
        assert_eq!(parse("t.toml", &text).unwrap_err().to_string(), message, "{wrong}");
    }
    assert_eq!(
        parse("t.toml", "").unwrap_err().to_string(),
        "t.toml:1:1: a topology needs at least 2 [[node]]s, not 0"
    );
}

#[test]
fn links_have_character() {
    let text = |links: &str, keys: &str| {
        let right = "{ link = \"right\", inet = \"10.0.2.1/24\" }";
        assert!(SQUARE.contains(right));
        let own = format!("{{ link = \"right\", inet = \"10.0.2.1/24\"{keys} }}");
        SQUARE.replacen("\"left\", \"right\"", links, 1).replacen(right, &own, 1)
    };
    let links = "\"left\", { name = \"right\", delay = \"20ms\", loss = \"1%\" }";
    let mut plan = parse("t.toml", &text(links, ", loss = \"0%\", rate = \"1mbit\"")).unwrap();
    assert_eq!(plan.links, ["left", "right"]);
    let of = |plan: &Topology, node: usize| -> Vec<String> {
        let interfaces = plan.nodes[node].interfaces.iter();
        interfaces.map(|own| plan.character(own).to_string()).collect()
    };
    let (link, own) =
        ("delay 20000000ns loss 1.0000000%", "delay 20000000ns rate 1000000bit loss 0.0000000%");
    assert_eq!([of(&plan, 0), of(&plan, 1), of(&plan, 2)], [vec![""], vec!["", own], vec![link]]);
    // What is said to all goes before.
    let mut all = Character::default();
    all.set(character::Key::Delay, 5);
    plan.shape(&all).unwrap();
    assert_eq!(
        (of(&plan, 0), of(&plan, 2)),
        (vec!["delay 5ns".into()], vec!["delay 5ns loss 1.0000000%".into()])
    );
    all.set(character::Key::Delay, 0);
    all.set(character::Key::Reorder, 1);
    assert!(plan.shape(&all).unwrap_err().contains("without a delay"));

    let error = |links, keys| parse("t.toml", &text(links, keys)).unwrap_err().to_string();
    assert_eq!(
        error("\"left\", { name = \"right\", lose = \"1%\" }", ""),
        "t.toml:2:36: unknown key \"lose\"; the nearest known one is \"loss\" in a link"
    );
    assert_eq!(error("\"left\", { delay = \"1ms\" }", ""), "t.toml:2:18: a link has no \"name\"");
    assert_eq!(
        error("\"left\", 7", ""),
        "t.toml:2:18: \"links\" must be a string, not of type integer"
    );
    assert!(
        error("\"left\", \"right\"", ", loss = \"2\"").contains("\"2\" is not a share such as 1%")
    );
    assert!(error(links, ", delay = 0, reorder = \"5%\"").contains("without a delay"));
}

#[test]
fn one_network_on_two_links_has_no_automatic_route() {
    let text =
        SQUARE.replace("10.0.2.", "10.0.1.").replace("10.0.1.1/24\" },\n]", "10.7.1.1/24\" },\n]");
    let text = format!("auto = true\n{}", text.replace("routes = ", "# "));
    assert_eq!(
        parse("t.toml", &text).unwrap_err().to_string(),
        "t.toml:1:8: 10.0.1.0/24 is on two links; automatic routes need one place"
    );
}

#[test]
fn automatic_routes_are_few() {
    // A star written as a file: one default route for each spoke, none for the hub.
    let mut hub = String::new();
    let mut spokes = String::new();
    let mut links = Vec::new();
    for k in 1..200 {
        links.push(format!("\"l{k}\""));
        hub += &format!("{{ link = \"l{k}\", inet = \"10.1.{k}.1/24\" }},");
        spokes += &format!(
            "[[node]]\nname = \"s{k}\"\n\
             interfaces = [{{ link = \"l{k}\", inet = \"10.1.{k}.2/24\" }}]\n"
        );
    }
    let text = format!(
        "auto = true\nlinks = [{}]\n[[node]]\nname = \"hub\"\ninterfaces = [{hub}]\n{spokes}",
        links.join(",")
    );
    let plan = parse("star.toml", &text).unwrap();
    assert_eq!(plan.nodes[0].routes, []);
    assert!(plan.nodes[1..].iter().all(|node| node.routes.len() == 1));
    assert_eq!(plan.pings.len(), 199);
    check(&plan);
}
