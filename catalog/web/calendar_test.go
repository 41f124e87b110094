package web

import (
	"testing"
	"time"
)

// The date is the zone's: a day begins in Tehran while it is still the day before in UTC.
func TestDates(t *testing.T) {
	at := time.Date(2026, 3, 20, 20, 35, 0, 0, time.UTC)
	for zone, want := range map[string][2]string{
		"UTC":              {"20 Mar 2026, 20:35", "۲۹ اسفند ۱۴۰۴، ۲۰:۳۵"},
		"Asia/Tehran":      {"21 Mar 2026, 00:05", "۱ فروردین ۱۴۰۵، ۰۰:۰۵"},
		"America/New_York": {"20 Mar 2026, 16:35", "۲۹ اسفند ۱۴۰۴، ۱۶:۳۵"},
	} {
		there, err := zoneNamed(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{english.date(at.In(there)), persian.date(at.In(there))}; got != want {
			t.Errorf("%s: %q, want %q", zone, got, want)
		}
	}
	for _, name := range []string{"", "Local", "../etc/passwd", "/etc/localtime", "Asia", "Nowhere/Town", "Asia/Tehran\x00"} {
		if zone, err := zoneNamed(name); err == nil {
			t.Errorf("%q is %s", name, zone)
		}
	}
}
