package buildkitd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// plugin connects a step to where buildkitd is, the router, by the interface name that
// plain BuildKit gives.
func (m *Manager) plugin() string {
	return fmt.Sprintf("#!/bin/sh\nexport CNI_IFNAME=eth0\nexec %s\n", shellQuote(filepath.Join(m.tools.cniBinDir, plugins[0])))
}

// runc gives a step's control groups their limits before runc puts the step into
// them. A limit that can't be set does not keep the step from running: those of all
// steps together hold. That a step was kept from starting processes is said in its
// output, for what comes of it looks like anything. It runs at every step, so
// it starts few processes itself. BuildKit kills a cancelled step once and may do so
// before runc knows the step by its name, which left it running: so the kill
// is tried again for near five seconds, less than the seven that BuildKit waits.
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
*" kill "*)
	for try in 1 2 3 4 5 6 7 8 9 10; do
		said=$("$runc" "$@" 2>&1) && exit
		case "$said" in
		*"does not exist"*) sleep 0.$try ;;
		*) break ;;
		esac
	done
	;;
%sesac
exec "$runc" "$@"
`, shellQuote(m.tools.runc), m.cgroups.stepScript(m.cfg.StepLimits), stepOOMScore,
		m.cgroups.failureScript(m.cfg.StepLimits), m.cgroups.deleteScript())
}

// stepGroup is where buildkitd sees a step's group in a hierarchy. It is shell text, with
// the step's name in $id.
func (h hierarchy) stepGroup() string {
	at := cgroupRoot
	if !h.v2 {
		at = filepath.Join(at, filepath.Base(h.mount))
	}
	return shellQuote(at+"/buildkit/") + `"$id"`
}

// stepFile is a file of a step's group, as shell text, or "" without one.
func (c *cgroups) stepFile(controller, file string) string {
	for _, h := range c.hierarchies {
		if h.made && slices.Contains(h.controllers, controller) {
			return h.stepGroup() + "/" + file
		}
	}
	return ""
}

// stepScript returns the shell commands that give a step its limits.
func (c *cgroups) stepScript(l Limits) string {
	var made []string
	var limits strings.Builder
	for _, h := range c.hierarchies {
		for _, s := range l.settings(h.v2) {
			if h.made && slices.Contains(h.controllers, s.controller) {
				made = append(made, h.stepGroup())
				fmt.Fprintf(&limits, "\techo %s > %s/%s\n", shellQuote(s.value), h.stepGroup(), s.file)
			}
		}
	}
	if len(made) == 0 {
		return ""
	}
	return "\tmkdir -p " + strings.Join(slices.Compact(made), " ") + "\n" + limits.String()
}

// stepEvents is where BuildKit looks for the memory.events of a step that failed, to
// tell a kill by the kernel.
const stepEvents = cgroupRoot + `/buildkit/"$id"`

// failureScript returns the shell commands for a step that failed. Version 1
// gets memory.events: its memory.oom_control has the count in the same words.
func (c *cgroups) failureScript(l Limits) string {
	script := ""
	if count := c.stepFile("memory", "memory.oom_control"); count != "" && !c.hierarchies[0].v2 {
		script = fmt.Sprintf("\tmkdir -p %s && ln -s %s %[1]s/memory.events\n", stepEvents, count)
	}
	if refused := c.stepFile("pids", "pids.events"); refused != "" && l.PIDs > 0 {
		script += fmt.Sprintf("\tgrep -q 'max [1-9]' %s && echo 'This step reached its limit of %d processes.' >&2\n", refused, l.PIDs)
	}
	return script
}

// deleteScript returns the case that removes what failureScript made.
func (c *cgroups) deleteScript() string {
	if len(c.hierarchies) == 0 || c.hierarchies[0].v2 {
		return ""
	}
	return "*\" delete \"*)\n\t[ -d " + stepEvents + " ] && rm -r " + stepEvents + "\n\t;;\n"
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
