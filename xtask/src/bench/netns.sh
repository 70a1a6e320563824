# The line of figure 3.31 out of Linux network namespaces: $1 nodes, joined by veth pairs, then the
# program $2 in the last of them. Everything, names included, lives in the namespaces of this
# process and goes away with it.
set -e
n=$1
mount -t tmpfs none /run
mkdir /run/netns

i=1
while [ $i -le $n ]; do
    echo "netns add n$i"
    i=$((i + 1))
done | ip -batch -

i=1
while [ $i -lt $n ]; do
    echo "link add name shmif1 netns n$i type veth peer name shmif0 netns n$((i + 1))"
    i=$((i + 1))
done | ip -batch -

i=1
while [ $i -le $n ]; do
    next=$((i + 1))
    {
        echo "link set lo up"
        # Node 1 has nobody on its first link.
        [ $i -ne 1 ] || echo "address add 1.2.1.1/24 dev lo"
        [ $i -eq 1 ] || echo "link set shmif0 up"
        [ $i -eq 1 ] || echo "address add 1.2.$i.1/24 dev shmif0"
        [ $i -eq $n ] || echo "link set shmif1 up"
        [ $i -eq $n ] || echo "address add 1.2.$next.2/24 dev shmif1"
        [ $i -eq 1 ] || echo "route add 1.2.1.0/24 via 1.2.$i.2"
        [ $next -ge $n ] || echo "route add 1.2.$n.0/24 via 1.2.$next.1"
    } | ip -n n$i -batch -
    nsenter --net=/run/netns/n$i sh -c '
        echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 255 > /proc/sys/net/ipv4/ip_default_ttl
        echo 0 > /proc/sys/net/ipv4/icmp_ratemask'
    i=$next
done

exec nsenter --net=/run/netns/n$n "$2" netns-probe
