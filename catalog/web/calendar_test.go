package web

import (
	"testing"
	"time"
)

func TestSessionOf(t *testing.T) {
	for agent, want := range map[string]string{
		"": "browser session", "Go-http-client/1.1": "browser session",
		"Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0":                                                                  "browser session, Firefox, Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0":           "browser session, Edge, Windows",
		"Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36":                   "browser session, Chrome, Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1": "browser session, Safari, iPhone",
	} {
		if got := sessionOf(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}

// A day is read in either calendar, as it is written on pages and as people type it.
func TestReadDay(t *testing.T) {
	tehran, err := zoneNamed("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 3, 20, 0, 0, 0, 0, tehran)
	for _, text := range []string{"2026-03-20", "2026/3/20", "1404-12-29", "۱۴۰۴/۱۲/۲۹", "١٤٠٤-١٢-٢٩", "1404.12.29", " ۲۹ اسفند ۱۴۰۴ ", "۲۰۲۶-۰۳-۲۰", persian.day(want), persian.typedDay(want), english.typedDay(want)} {
		if got, err := readDay(text, tehran); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "1404-12-30", "2026-02-29", "2026-13-01", "1404-13-01", "20-03-2026", "29/12/1404", "2026-03", "2026-03-20-1", "99999-01-01", "2026-03-20T00:00", "-1-1-1", "1404-12--29x", "۲۹ اسپند ۱۴۰۴"} {
		if got, err := readDay(text, tehran); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

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
