package language

import (
	"testing"
	"time"
)

// The years are those of the calendar that the law of Iran has: 1403 was a leap year, 1404 is none.
func TestJalali(t *testing.T) {
	for gregorian, want := range map[string][3]int{
		"0622-03-22": {1, 1, 1},
		"1799-03-21": {1178, 1, 1},
		"1925-03-31": {1304, 1, 11},
		"1970-01-01": {1348, 10, 11},
		"1979-02-11": {1357, 11, 22},
		"1996-03-19": {1374, 12, 29},
		"1996-03-20": {1375, 1, 1},
		"1997-03-20": {1375, 12, 30},
		"1997-03-21": {1376, 1, 1},
		"2000-02-29": {1378, 12, 10},
		"2017-03-20": {1395, 12, 30},
		"2020-03-20": {1399, 1, 1},
		"2021-03-20": {1399, 12, 30},
		"2021-03-21": {1400, 1, 1},
		"2022-09-22": {1401, 6, 31},
		"2022-09-23": {1401, 7, 1},
		"2024-03-19": {1402, 12, 29},
		"2024-03-20": {1403, 1, 1},
		"2025-03-20": {1403, 12, 30},
		"2025-03-21": {1404, 1, 1},
		"2026-03-20": {1404, 12, 29},
		"2026-03-21": {1405, 1, 1},
		"2026-11-28": {1405, 9, 7},
		"2029-03-19": {1407, 12, 29},
		"2029-03-20": {1408, 1, 1},
		"2030-03-20": {1408, 12, 30},
		"2033-12-31": {1412, 10, 11},
		"2100-01-01": {1478, 10, 12},
	} {
		day, err := time.Parse(time.DateOnly, gregorian)
		if err != nil {
			t.Fatal(err)
		}
		if y, m, d := Jalali(day); [3]int{y, m, d} != want {
			t.Errorf("%s is %d/%d/%d, want %v", gregorian, y, m, d, want)
		}
	}
}

// Each day is followed by the next, months have the days that they may have, and a year is a leap year where it says so.
// Every date of the calendar is the one that it is read as, and there are no others.
func TestOfJalali(t *testing.T) {
	for at := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2100; at = at.AddDate(0, 0, 1) {
		year, month, day := Jalali(at)
		if got, ok := OfJalali(year, month, day, time.UTC); !ok || !got.Equal(at) {
			t.Fatalf("%d-%d-%d is %v, %v, want %v", year, month, day, got, ok, at)
		}
	}
	for _, no := range [][3]int{{1404, 12, 30}, {1403, 12, 31}, {1404, 7, 31}, {1404, 13, 1}, {1404, 0, 1}, {1404, 1, 0}, {1404, 1, 32}, {0, 1, 1}, {3178, 1, 1}, {-5, 1, 1}, {1404, -3, 5}, {1404, 1 << 40, 1}} {
		if got, ok := OfJalali(no[0], no[1], no[2], time.UTC); ok {
			t.Errorf("%v is %v", no, got)
		}
	}
}

func TestJalaliHasEveryDayOnce(t *testing.T) {
	year, month, day := Jalali(time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC))
	for at := time.Date(1800, 1, 2, 0, 0, 0, 0, time.UTC); at.Year() < 2400; at = at.AddDate(0, 0, 1) {
		_, sinceLeap := nowruz(year)
		length := 31
		switch {
		case month == 12 && sinceLeap != 0:
			length = 29
		case month > 6:
			length = 30
		}
		if day++; day > length {
			day, month = 1, month+1
		}
		if month > 12 {
			month, year = 1, year+1
		}
		if y, m, d := Jalali(at); y != year || m != month || d != day {
			t.Fatalf("%s is %d/%d/%d, want %d/%d/%d", at.Format(time.DateOnly), y, m, d, year, month, day)
		}
	}
}
