package buildkitd

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// A relay lets buildkitd, whose loopback is the router's, reach a service of this machine's
// loopback. Steps have loopbacks of their own.
type relay struct {
	protocol string // "tcp", or "udp" for questions of one datagram, answered by one
	at       netip.AddrPort
	to       string // host:port
}

const (
	answerWait  = 10 * time.Second // for a datagram; resolvers ask again sooner
	maxDatagram = 64 << 10
)

// relaysTo are those to services of the same address.
func relaysTo(services []netip.AddrPort, protocols ...string) []relay {
	var relays []relay
	for _, service := range services {
		for _, protocol := range protocols {
			relays = append(relays, relay{protocol, service, service.String()})
		}
	}
	return relays
}

// setRelays opens those that are not open, and closes all others.
func (n *network) setRelays(wanted []relay) error {
	open := map[relay]io.Closer{}
	var failures []error
	for _, r := range wanted {
		if open[r] = n.relays[r]; open[r] != nil {
			continue
		}
		var err error
		if open[r], err = n.openRelay(r); err != nil {
			delete(open, r)
			failures = append(failures, err)
		}
	}
	for r, closer := range n.relays {
		if open[r] == nil {
			_ = closer.Close()
		}
	}
	n.relays = open
	return errors.Join(failures...)
}

func (n *network) openRelay(r relay) (opened io.Closer, err error) {
	err = n.inRouter(func() error {
		var listen net.ListenConfig
		if r.protocol == "udp" {
			inside, err := listen.ListenPacket(context.Background(), r.protocol, r.at.String())
			if err == nil {
				opened = inside
				go relayDatagrams(inside, r.to)
			}
			return err
		}
		inside, err := listen.Listen(context.Background(), r.protocol, r.at.String())
		if err == nil {
			opened = inside
			go relayConnections(inside, r.to)
		}
		return err
	})
	return opened, err
}

// relayConnections serves until inside is closed.
func relayConnections(inside net.Listener, to string) {
	for {
		conn, err := inside.Accept()
		switch {
		case err == nil:
			go relayConnection(conn, to)
		case errors.Is(err, net.ErrClosed):
			return
		default: // too many open files
			<-time.After(pollInterval)
		}
	}
}

func relayConnection(inside net.Conn, to string) {
	defer inside.Close() //nolint:errcheck // its reader knows its end
	outside, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
	if err != nil {
		return
	}
	defer outside.Close() //nolint:errcheck // as above
	done := make(chan struct{})
	go func() {
		defer close(done)
		pass(outside, inside)
	}()
	pass(inside, outside)
	<-done
}

// pass copies all there is, and its end.
func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = from.Close() // which ends the other direction
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// relayDatagrams serves until inside is closed.
func relayDatagrams(inside net.PacketConn, to string) {
	for {
		question := make([]byte, maxDatagram)
		size, from, err := inside.ReadFrom(question)
		switch {
		case err == nil:
			go relayDatagram(inside, from, question[:size], to)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			<-time.After(pollInterval)
		}
	}
}

func relayDatagram(inside net.PacketConn, from net.Addr, question []byte, to string) {
	outside, err := new(net.Dialer).DialContext(context.Background(), "udp", to)
	if err != nil {
		return
	}
	defer outside.Close() //nolint:errcheck // nothing is left in it
	if err := outside.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return
	}
	if _, err := outside.Write(question); err != nil {
		return
	}
	answer := make([]byte, maxDatagram)
	if size, err := outside.Read(answer); err == nil {
		_, _ = inside.WriteTo(answer[:size], from)
	}
}
