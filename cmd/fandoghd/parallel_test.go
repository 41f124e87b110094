package main

import (
	"errors"
	"math"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/fandoghpaas/fandogh/config"
)

func TestParallelBuilds(t *testing.T) {
	tests := []struct {
		configured int
		memory     memlimit.Provider
		want       int
	}{
		{7, memlimit.Limit(64 << 30), 7},
		{0, memlimit.Limit(500 << 20), 2},
		{0, memlimit.Limit(8 << 30), 8},
		{0, memlimit.Limit(math.MaxUint64), 32},
		{0, func() (uint64, error) { return 0, errors.New("no limit is known") }, 2},
	}
	for _, test := range tests {
		if got := parallelBuilds(test.configured, test.memory); got != test.want {
			t.Errorf("parallelBuilds(%d) = %d, want %d", test.configured, got, test.want)
		}
	}
	if got := parallelBuilds(0, usableMemory); got < 2 {
		t.Errorf("%d builds at once on this machine", got)
	}
}

func TestStepsMemory(t *testing.T) {
	tests := []struct {
		configured config.Size
		memory     memlimit.Provider
		want       int64
	}{
		{1 << 30, memlimit.Limit(64 << 30), 1 << 30},
		{0, memlimit.Limit(8 << 30), 6 << 30},
		{0, memlimit.Limit(math.MaxUint64), 0},
		{0, func() (uint64, error) { return 0, errors.New("no limit is known") }, 0},
	}
	for _, test := range tests {
		if got := stepsMemory(test.configured, test.memory); got != test.want {
			t.Errorf("stepsMemory(%d) = %d, want %d", test.configured, got, test.want)
		}
	}
}
