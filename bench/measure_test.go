package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFailingRowDoesNotEndTheRun(t *testing.T) {
	b := &bench{options: options{out: filepath.Join(t.TempDir(), "results.md")}}
	good := measure{row: 2, what: "a thing", size: "1", n: 1, unit: "s", ours: []float64{1}, peer: []float64{2}}
	err := b.measureRows(t.Context(), []row{
		{number: 1, run: func(context.Context, *bench) ([]measure, error) {
			return nil, errors.New("it | broke\nin the middle")
		}},
		{number: 2, run: func(context.Context, *bench) ([]measure, error) { return []measure{good}, nil }},
	})
	if err == nil || !strings.Contains(err.Error(), "1 of the measurements failed") {
		t.Errorf("the run ended with %v", err)
	}
	text := results(t, b)
	for _, want := range []string{`| 1 | the row |  | **failed**: it \| broke in the middle | | | | | |`, "| 2 | a thing | 1 | 1.00 s | 2.00 s | 0.50 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestAnInterruptionEndsTheRunAndKeepsWhatWasMeasured(t *testing.T) {
	b := &bench{options: options{out: filepath.Join(t.TempDir(), "results.md")}}
	ctx, interrupt := context.WithCancel(t.Context())
	partly := measure{row: 1, what: "a thing", size: "1", n: 1, unit: "s", ours: []float64{1}, peer: []float64{2}}
	err := b.measureRows(ctx, []row{
		{number: 1, run: func(context.Context, *bench) ([]measure, error) {
			interrupt()
			return []measure{partly}, errors.New("signal: killed")
		}},
		{number: 2, run: func(context.Context, *bench) ([]measure, error) {
			t.Error("the next row ran")
			return nil, nil
		}},
	})
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("the run ended with %v", err)
	}
	text := results(t, b)
	for _, want := range []string{"| 1 | a thing | 1 | 1.00 s |", "| 1 | the row |  | **failed**: interrupted |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestAFailingCaseDoesNotEndItsRow(t *testing.T) {
	b := &bench{}
	ran := 0
	all := b.each(t.Context(), []pushCase{{row: 2, what: "bad", files: 1}, {row: 2, what: "good", files: 1}}, func(_ context.Context, c pushCase) ([]measure, error) {
		ran++
		if c.what == "bad" {
			return nil, errors.New("it broke")
		}
		return []measure{c.measure()}, nil
	})
	if ran != 2 || len(all) != 2 || failures(all) != 1 || all[0].failed == nil {
		t.Errorf("%d cases ran, with %+v", ran, all)
	}
}

func TestChooseRows(t *testing.T) {
	chosen, err := choose("10,1", "1")
	if err != nil || len(chosen) != 2 || chosen[0].number != 10 || chosen[0].scale || !chosen[1].scale {
		t.Errorf("chosen: %v, %v", chosen, err)
	}
	if _, err := choose("1,3", ""); err == nil {
		t.Error("row 3 can be chosen by itself")
	}
	if _, err := choose(everyRow, everyRow); err != nil {
		t.Error(err)
	}
}

func TestTurnsChange(t *testing.T) {
	sides := [2]side{&daemon{}, &peer{}}
	var m measure
	var order []string
	for round := range 2 {
		_ = turn(round, sides, func(at int, s side) error {
			order = append(order, s.name())
			m.add(at, float64(round))
			return nil
		})
	}
	if got := strings.Join(order, " "); got != "ours peer peer ours" || len(m.ours) != 2 || len(m.peer) != 2 {
		t.Errorf("%s: %+v", got, m)
	}
}

func results(t *testing.T, b *bench) string {
	t.Helper()
	text, err := os.ReadFile(b.out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
