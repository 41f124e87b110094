package builder

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestLimitsOfARepository(t *testing.T) {
	for file, want := range map[string]catalog.BuildLimits{
		"build: {target: x}\n":          {},
		"build: {limits: }\n":           {},
		"build: {limits: {pids: 64}}\n": {PIDs: 64},
		"build:\n  limits: {cpus: 1.5, memory: 1GiB, pids: 100, disk: 2147483648, log: 1MiB, timeout: 10m}\n": {
			CPUs: 1.5, Memory: 1 << 30, PIDs: 100, Disk: 1 << 31, Log: 1 << 20, Timeout: 10 * time.Minute,
		},
	} {
		config, err := readRepositoryConfig(fstest.MapFS{configNames[0]: {Data: []byte(file)}})
		if err != nil || config.limits != want {
			t.Errorf("%s: %+v, %v", file, config.limits, err)
		}
	}
	for file, fault := range map[string]string{
		"build:\n  limits:\n    mem: 1GiB\n": `line 3: unknown key "mem" under limits; the keys are: cpus, disk, log, memory, pids, timeout`,
		"build: {limits: {memory: much}}\n":  `.fandogh/config.yml: build.limits: "much" is not a valid size; write it as 512MiB or 2GiB`,
		"build: {limits: {memory: 1MiB}}\n":  "build.limits: memory must be 0 or at least 16MiB",
		"build: {limits: {timeout: 10}}\n":   `.fandogh/config.yml: build.limits: "10" is not a valid duration; write`,
		"build: {limits: {timeout: -1s}}\n":  "timeout must be 0 or longer",
		"build: {limits: {disk: -1}}\n":      "is not a valid size",
		"build: {limits: {cpus: .inf}}\n":    "cpus must be",
		"build: {limits: [a]}\n":             "line 1",
	} {
		_, err := readRepositoryConfig(fstest.MapFS{configNames[0]: {Data: []byte(file)}})
		if catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), fault) {
			t.Errorf("%s: got %v, want %s", file, err, fault)
		}
	}
}
