package web

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // machines without time zones, as images from scratch

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
)

var jalaliMonths = []string{"فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"}

// day writes a date, in the time's own zone: Jalali in Persian, Gregorian in English.
func (l lang) day(t time.Time) string {
	if l == persian {
		year, month, day := language.Jalali(t)
		return l.digits(fmt.Sprintf("%d %s %d", day, jalaliMonths[month-1], year))
	}
	return t.Format("2 Jan 2006")
}

// typedDay writes a date as a form takes it in the language.
func (l lang) typedDay(t time.Time) string {
	if l == persian {
		return language.Day(t)
	}
	return t.Format(time.DateOnly)
}

// jalaliUntil is the first year that is read as one of the Gregorian calendar.
const jalaliUntil = 1700

// readDay reads a date as people type it, the year first or a month by its name: Jalali or, from the year 1700 on, Gregorian, in the digits of
// either language. It returns the beginning of the day in a zone. Errors: Invalid.
func readDay(text string, zone *time.Location) (time.Time, error) {
	words := strings.FieldsFunc(language.LatinDigits(text), func(r rune) bool { return strings.ContainsRune("-/. \u200c\u200e\u200f", r) })
	if len(words) == 3 {
		if month := slices.Index(jalaliMonths, words[1]); month >= 0 {
			words = []string{words[2], strconv.Itoa(month + 1), words[0]}
		}
		year, err1 := strconv.Atoi(words[0])
		month, err2 := strconv.Atoi(words[1])
		day, err3 := strconv.Atoi(words[2])
		if errors.Join(err1, err2, err3) == nil && len(words[0]) == len("2026") {
			if at, ok := dayOf(year, month, day, zone); ok {
				return at, nil
			}
		}
	}
	return time.Time{}, catalog.Errorf(catalog.Invalid, "%q is not a day such as 2026-03-20 or 1404-12-29", text)
}

func dayOf(year, month, day int, zone *time.Location) (time.Time, bool) {
	if year < jalaliUntil {
		return language.OfJalali(year, month, day, zone)
	}
	at := time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone)
	return at, at.Year() == year && at.Month() == time.Month(month) && at.Day() == day
}

// date writes a date with its time.
func (l lang) date(t time.Time) string {
	clock := l.digits(t.Format("15:04"))
	if l == persian {
		return l.day(t) + "، " + clock
	}
	return l.day(t) + ", " + clock
}
