package language

import "time"

// leapBreaks are the years of the Jalali calendar at which the rule of leap years shifts, as Borkowski found them from the equinoxes: between
// two of them each fourth year is one, but for the last of each 33.
var leapBreaks = []int{-61, 9, 38, 199, 426, 686, 756, 818, 1111, 1181, 1210, 1635, 2060, 2097, 2192, 2262, 2324, 2394, 2456, 3178}

// nowruz returns the day of March on which a Jalali year begins, and how many years ago the last leap year was: 0 of a leap year.
func nowruz(year int) (march, sinceLeap int) {
	gregorian := year + 621
	leaps, last := -14, leapBreaks[0]
	jump := 0
	for _, at := range leapBreaks[1:] {
		jump = at - last
		if year < at {
			break
		}
		leaps += jump/33*8 + jump%33/4
		last = at
	}
	n := year - last
	leaps += n/33*8 + (n%33+3)/4
	if jump%33 == 4 && jump-n == 4 {
		leaps++
	}
	gregorianLeaps := gregorian/4 - (gregorian/100+1)*3/4 - 150
	march = 20 + leaps - gregorianLeaps
	if jump-n < 6 {
		n = n - jump + (jump+4)/33*33
	}
	if sinceLeap = ((n+1)%33 - 1) % 4; sinceLeap < 0 {
		sinceLeap = 4
	}
	return march, sinceLeap
}

// Jalali returns the date in the Jalali calendar, for years from 1 to 3177 of it.
func Jalali(t time.Time) (year, month, day int) {
	year = t.Year() - 621
	march, _ := nowruz(year)
	days := daysBetween(time.Date(t.Year(), time.March, march, 0, 0, 0, 0, time.UTC), t)
	if days < 0 { // before Nowruz
		year--
		march, _ = nowruz(year)
		days = daysBetween(time.Date(t.Year()-1, time.March, march, 0, 0, 0, 0, time.UTC), t)
	}
	if days < 186 { // six months of 31 days
		return year, days/31 + 1, days%31 + 1
	}
	days -= 186
	return year, days/30 + 7, days%30 + 1
}

// OfJalali returns the beginning of a date in the Jalali calendar, in a zone; ok is false where there is no such date.
func OfJalali(year, month, day int, zone *time.Location) (begin time.Time, ok bool) {
	if year < 1 || year >= leapBreaks[len(leapBreaks)-1] {
		return begin, false
	}
	march, _ := nowruz(year)
	days := min(month-1, 6)*31 + max(month-7, 0)*30 + day - 1
	begin = time.Date(year+621, time.March, march+days, 0, 0, 0, 0, zone)
	y, m, d := Jalali(begin)
	return begin, [3]int{y, m, d} == [3]int{year, month, day}
}

// daysBetween counts calendar days from one date to another, each in its own zone.
func daysBetween(from, to time.Time) int {
	to = time.Date(to.Year(), to.Month(), to.Day(), 0, 0, 0, 0, time.UTC)
	return int(to.Sub(from) / (24 * time.Hour))
}
