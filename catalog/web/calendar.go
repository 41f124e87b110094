package web

import (
	"fmt"
	"time"
	_ "time/tzdata" // machines without time zones, as images from scratch

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

// date writes a date with its time.
func (l lang) date(t time.Time) string {
	clock := l.digits(t.Format("15:04"))
	if l == persian {
		return l.day(t) + "، " + clock
	}
	return l.day(t) + ", " + clock
}
