# Network namespaces joined by veth pairs, and what is measured between them. Everything, names
# included, lives in the namespaces of this process and goes away with it.
#
# $1: pair     $2: a shell line that serves  $3: one that measures and prints
#     tap      $2, $3: the same, on both sides of the tap device tap0; with $4 the address of the host's side
#     forward  $2: one that feeds interface $IF with packets for $MAC, and prints how many packets a
#              second reached $COUNT
#     taps     $2: one that joins tap0 with tap1, tap2 with tap3, and so on, until its input ends, and
#              says "ready"  $3: one that serves at $ADDR, and says so  $4: one that measures and prints
#              $5: how many pairs; all at the same time
# Addresses: 10.0.N.1 measures, 10.0.N.2 serves.
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
tap)
    ip tuntap add dev tap0 mode tap
    ip address add "$4"/24 dev tap0
    ip link set tap0 up
    sh -c "exec $2" >/dev/null 2>&1 &
    trap 'kill $!' EXIT
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
taps)
    mkfifo /run/end /run/ready
    sh -c "exec $2" </run/end >/run/ready &
    exec 3>/run/end
    read -r said </run/ready
    [ "$said" = ready ]
    for side in near far; do
        ip netns add $side
        # Each connection stands for itself.
        nsenter --net=/run/netns/$side sh -c 'echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save'
    done
    n=0
    while [ $n -lt "$5" ]; do
        near=tap$((2 * n))
        far=tap$((2 * n + 1))
        ip link set $near netns near
        ip link set $far netns far
        ip -n near address add 10.0.$n.1/24 dev $near
        ip -n near link set $near up
        ip -n far address add 10.0.$n.2/24 dev $far
        ip -n far link set $far up
        n=$((n + 1))
    done
    n=0
    servers=
    while [ $n -lt "$5" ]; do
        ADDR=10.0.$n.2 nsenter --net=/run/netns/far sh -c "exec $3" >/run/serves$n &
        servers="$servers $!"
        n=$((n + 1))
    done
    trap 'kill $servers' EXIT
    n=0
    clients=
    while [ $n -lt "$5" ]; do
        until [ -s /run/serves$n ]; do sleep 0.1; done
        ADDR=10.0.$n.2 nsenter --net=/run/netns/near sh -c "exec $4" >/run/out$n &
        clients="$clients $!"
        n=$((n + 1))
    done
    for client in $clients; do wait $client; done
    cat /run/out*
    ;;
esac
