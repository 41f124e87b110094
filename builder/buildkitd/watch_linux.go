package buildkitd

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// checkEvery bounds how long steps wait for a network that follows a change of
	// DNS servers or addresses; changes of filters are told by the kernel.
	checkEvery = time.Minute
	// calm lies between two checks: on some machines rules change all the time.
	calm = time.Second
)

// watch keeps the filters as they should be until ctx ends. Without filters
// there is no network.
func (n *network) watch(ctx context.Context, log hclog.Logger) {
	changed := changes(ctx, log)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
		if !n.hold() {
			n.mend(log)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(calm):
		}
	}
}

func (n *network) mend(log hclog.Logger) {
	before := n.applied
	err := n.apply()
	switch {
	case err == nil && (before.machine != n.applied.machine || before.router != n.applied.router):
		log.Debug("updated the packet filter of RUN steps for new addresses or DNS servers")
		return
	case err == nil:
		log.Info("restored the packet filter of RUN steps, which another program had changed")
		return
	}
	n.applied = filters{}
	log.Error("failed to restore the packet filter of RUN steps; they have no network until it is restored", "error", errors.Join(err, n.cut()))
}

// changes tells of changes of this machine's packet filters and addresses, by any process,
// one at least for all that happened since the last was taken.
func changes(ctx context.Context, log hclog.Logger) <-chan struct{} {
	told := make(chan struct{}, 1)
	subscribe(ctx, log, told, unix.NETLINK_NETFILTER, unix.NFNLGRP_NFTABLES)
	subscribe(ctx, log, told, unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	return told
}

// subscribe passes on what the kernel tells groups of a protocol.
func subscribe(ctx context.Context, log hclog.Logger, told chan<- struct{}, protocol int, groups ...uint) {
	socket, err := nl.Subscribe(protocol, groups...)
	if err != nil {
		log.Warn("changes of the packet filter and of addresses are checked only once a minute", "error", err)
		return
	}
	stop := context.AfterFunc(ctx, socket.Close)
	go func() {
		defer stop()
		for ctx.Err() == nil {
			_, _, err := socket.Receive()
			// More changes than the socket holds are a change as well.
			if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
				return
			}
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}()
}
