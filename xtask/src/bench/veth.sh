# Network namespaces joined by veth pairs, and what is measured between them. Everything, names
# included, lives in the namespaces of this process and goes away with it.
#
# $1: pair     $2: a shell line that serves  $3: one that measures and prints
#     forward  $2: one that feeds interface $IF with packets for $MAC, and prints how many packets a
#              second reached $COUNT
# Addresses: 10.0.0.1 measures, 10.0.0.2 serves.
set -e
mount -t tmpfs none /run
mkdir /run/netns
ip link set lo up

case $1 in
pair)
    ip netns add peer
    ip link add v0 type veth peer name v1 netns peer
    ip address add 10.0.0.1/24 dev v0
    ip link set v0 up
    ip -n peer address add 10.0.0.2/24 dev v1
    ip -n peer link set v1 up
    nsenter --net=/run/netns/peer sh -c "exec $2" >/dev/null 2>&1 &
    trap 'kill $!' EXIT
    # Until it listens.
    n=0
    while ! sh -c "$3"; do
        n=$((n + 1))
        [ $n -lt 50 ]
        sleep 0.1
    done
    ;;
forward)
    ip netns add router
    ip netns add sink
    ip link add v0 type veth peer name v1 netns router
    ip -n router link add v2 type veth peer name v3 netns sink
    ip address add 10.0.1.1/24 dev v0
    ip link set v0 up
    ip -n router address add 10.0.1.2/24 dev v1
    ip -n router address add 10.0.2.2/24 dev v2
    ip -n router link set v1 up
    ip -n router link set v2 up
    ip -n sink address add 10.0.2.1/24 dev v3
    ip -n sink link set v3 up
    ip -n router neighbour add 10.0.2.1 lladdr "$(ip -n sink -o link show v3 | sed 's/.*ether \([^ ]*\).*/\1/')" dev v2
    nsenter --net=/run/netns/router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    IF=v0
    MAC=$(ip -n router -o link show v1 | sed 's/.*ether \([^ ]*\).*/\1/')
    export IF MAC
    received() {
        nsenter --net=/run/netns/sink sed -n 's/^ *v3: *[0-9]* *\([0-9]*\).*/\1/p' /proc/net/dev
    }
    sleep 0.2
    before=$(received)
    took=$(sh -c "$2")
    echo "$(($(received) - before)) $took"
    ;;
esac
