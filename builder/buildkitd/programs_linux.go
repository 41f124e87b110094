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
//
// A step goes into the group of its build, where that has one. BuildKit knows the step's group by the name that it gave, so
// what becomes of a limit there is told by a file (buildGroup.mark) as well.
func (m *Manager) runc() string {
	return fmt.Sprintf(`#!/bin/sh
runc=%s
build=%s before= shares= limit=
for id in "$@"; do [ "$before" = --bundle ] && bundle=$id; before=$id; done
case " $* " in
*" run "*)
	{
%s%s	echo %d > /proc/self/oom_score_adj
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
`, shellQuote(m.tools.runc), anyBuild, m.cgroups.buildScript(), m.cgroups.stepScript(m.cfg.StepLimits), stepOOMScore,
		m.cgroups.failureScript(m.marksDir()), m.cgroups.deleteScript())
}

// seen is where buildkitd sees the group of all steps in a hierarchy, shell text.
func (h hierarchy) seen() string {
	if h.v2 {
		return cgroupRoot
	}
	return shellQuote(filepath.Join(cgroupRoot, filepath.Base(h.mount)))
}

// buildGroup is where buildkitd sees the group of a step's build, shell text with its name in $build.
func (h hierarchy) buildGroup() string { return h.seen() + `/"$build"` }

// stepGroup is where buildkitd sees a step's group in a hierarchy. It is shell text, with
// the step's name in $id.
func (h hierarchy) stepGroup() string { return h.buildGroup() + `/"$id"` }

// having returns the hierarchy that has a controller, not ok without one.
func (c *cgroups) having(controller string) (h hierarchy, ok bool) {
	for _, h := range c.hierarchies {
		if h.made && h.holds(controller) {
			return h, true
		}
	}
	return hierarchy{}, false
}

// buildScript returns the shell commands that put a step into the group of its build. The patterns are of no text of
// users: their quotes have backslashes there. One process does it, at every step: the first line that it writes is the
// number, the second the description with the step in that group.
func (c *cgroups) buildScript() string {
	for _, h := range c.hierarchies {
		if !h.bounds() {
			continue
		}
		return fmt.Sprintf(`	moved=$(sed -n 's|^\(.*"cpu":{"shares":\)\([0-9]*\)\(.*"cgroupsPath":"/\)%[3]s\(/.*\)$|\2\n\1\2\3%[2]s\2\4|p' "$bundle/config.json")
	shares=${moved%%%%"
"*}
	if [ -n "$shares" ] && [ -d %[1]s/%[2]s"$shares" ]; then
		printf '%%s\n' "${moved#*"
"}" > "$bundle/config.json"
		build=%[2]s$shares
	fi
`, h.seen(), buildPrefix, anyBuild)
	}
	return ""
}

// stepScript returns the shell commands that give a step its limits.
func (c *cgroups) stepScript(l Limits) string {
	var made []string
	var limits strings.Builder
	for _, h := range c.hierarchies {
		for _, s := range l.settings(h.v2) {
			if h.made && h.holds(s.controller) {
				made = append(made, h.stepGroup())
				fmt.Fprintf(&limits, "\techo %s > %s/%s\n", shellQuote(s.value), h.stepGroup(), s.file)
			}
		}
	}
	if h, ok := c.having("pids"); ok {
		fmt.Fprintf(&limits, "\tread -r refused < %s/pids.events\n", h.buildGroup())
	}
	if len(made) == 0 {
		return limits.String()
	}
	return "\tmkdir -p " + strings.Join(slices.Compact(made), " ") + "\n" + limits.String()
}

// stepEvents is where BuildKit looks for the memory.events of a step that failed, to
// tell a kill by the kernel.
const stepEvents = cgroupRoot + `/` + anyBuild + `/"$id"`

// failureScript returns the shell commands for a step that failed. Version 1
// gets memory.events: its memory.oom_control has the count in the same words.
func (c *cgroups) failureScript(marks string) string {
	script := ""
	mark := func(limit string) string { return shellQuote(marks) + `/"$shares".` + limit }
	if h, ok := c.having("memory"); ok {
		events := h.stepGroup() + "/memory.events"
		if !h.v2 {
			events = h.stepGroup() + "/memory.oom_control"
			script = fmt.Sprintf("\tmkdir -p %s && ln -s %s %[1]s/memory.events\n", stepEvents, events)
		}
		script += fmt.Sprintf("\t[ \"$build\" != %s ] && grep -qs '^oom_kill [1-9]' %s && : > %s\n", anyBuild, events, mark("memory"))
	}
	if h, ok := c.having("pids"); ok {
		script += fmt.Sprintf(`	{
		read -r now < %[2]s/pids.events
		if grep -q 'max [1-9]' %[1]s/pids.events || [ "$refused" != "$now" ]; then
			read -r limit < %[1]s/pids.max
			read -r most < %[2]s/pids.max
			[ "$most" -lt "$limit" ] || [ "$limit" = max ] && limit=$most
			[ "$build" != %[3]s ] && echo "$limit" > %[4]s
		fi
	} 2>/dev/null
	[ -n "$limit" ] && echo "This step reached its limit of $limit processes." >&2
`, h.stepGroup(), h.buildGroup(), anyBuild, mark("pids"))
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
