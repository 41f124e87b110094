package buildkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stepOOMScore makes the kernel kill a step before anything else of ours.
const stepOOMScore = 900

// writePrograms writes what buildkitd runs in place of runc and of the network
// plugin, and links to the other plugins.
func (m *Manager) writePrograms() error {
	dir := m.binDir()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range plugins[1:] {
		if err := os.Symlink(filepath.Join(m.tools.cniBinDir, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{plugins[0]: m.plugin(), "runc": m.runc()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil { //nolint:gosec // a program
			return err
		}
	}
	return nil
}

// plugin connects a step to the router rather than to this machine, by the
// interface name that plain BuildKit gives.
func (m *Manager) plugin() string {
	return fmt.Sprintf(`#!/bin/sh
export CNI_IFNAME=eth0
exec nsenter --net=/run/netns/%s %s
`, m.network.device, shellQuote(filepath.Join(m.tools.cniBinDir, plugins[0])))
}

// runc gives a step's control groups their limits before runc puts the step into
// them. A limit that can't be set does not keep the step from running: those of all
// steps together hold. That a step was kept from starting processes is said in its
// output, for what comes of it looks like anything. It runs at every step, so
// it starts few processes itself.
func (m *Manager) runc() string {
	return fmt.Sprintf(`#!/bin/sh
runc=%s
for id in "$@"; do :; done
case " $* " in
*" run "*)
	{
%s	echo %d > /proc/self/oom_score_adj
	} 2>/dev/null
	"$runc" "$@"
	code=$?
	[ $code = 0 ] && exit
%s	exit $code
	;;
%sesac
exec "$runc" "$@"
`, shellQuote(m.tools.runc), m.cgroups.stepScript(m.cfg.StepLimits), stepOOMScore,
		m.cgroups.failureScript(m.cfg.StepLimits), m.cgroups.deleteScript())
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
