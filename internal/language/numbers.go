package language

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var persianDigits = strings.NewReplacer("0", "۰", "1", "۱", "2", "۲", "3", "۳", "4", "۴", "5", "۵", "6", "۶", "7", "۷", "8", "۸", "9", "۹", ".", "٫")

// Digits writes a number with Persian digits and the Persian decimal separator.
func Digits(number string) string { return persianDigits.Replace(number) }

var (
	decimalUnits = []string{"بایت", "کیلوبایت", "مگابایت", "گیگابایت", "ترابایت"}
	binaryUnits  = []string{"بایت", "کیبی‌بایت", "مبی‌بایت", "گیبی‌بایت", "تبی‌بایت"}
)

// Size writes bytes in Persian, in units of 1000: ۱۲٫۳ مگابایت is 12,300,000 bytes.
func Size(bytes int64) string { return inUnits(float64(bytes), 1000, decimalUnits) }

// BinarySize writes bytes in Persian, in units of 1024.
func BinarySize(bytes int64) string { return inUnits(float64(bytes), 1024, binaryUnits) }

func inUnits(n, base float64, units []string) string {
	unit := 0
	for ; n >= base-0.5 && unit < len(units)-1; unit++ {
		n /= base
	}
	digits := 0 // behind the point, of three in all
	if unit > 0 && n < 99.95 {
		digits = 1
	}
	return Digits(strings.TrimSuffix(strconv.FormatFloat(n, 'f', digits, 64), ".0")) + " " + units[unit]
}

// Duration writes in Persian how long something took: to the hundredth of a second below ten seconds, and to the second from there.
func Duration(d time.Duration) string {
	if d < 10*time.Second {
		return Digits(strconv.FormatFloat(d.Round(10*time.Millisecond).Seconds(), 'f', -1, 64)) + " ثانیه"
	}
	d = d.Round(time.Second)
	var parts []string
	for _, part := range []struct {
		n    int64
		unit string
	}{{int64(d / time.Hour), "ساعت"}, {int64(d % time.Hour / time.Minute), "دقیقه"}, {int64(d % time.Minute / time.Second), "ثانیه"}} {
		if part.n > 0 {
			parts = append(parts, Digits(strconv.FormatInt(part.n, 10))+" "+part.unit)
		}
	}
	return strings.Join(parts, " و ")
}

// latinDigits are those of Persian and of Arabic keyboards.
var latinDigits = strings.NewReplacer("۰", "0", "۱", "1", "۲", "2", "۳", "3", "۴", "4", "۵", "5", "۶", "6", "۷", "7", "۸", "8", "۹", "9",
	"٠", "0", "١", "1", "٢", "2", "٣", "3", "٤", "4", "٥", "5", "٦", "6", "٧", "7", "٨", "8", "٩", "9")

// LatinDigits reads a number that may be typed in Persian digits, or in Arabic ones.
func LatinDigits(number string) string { return latinDigits.Replace(number) }

// Day writes a date in Persian, in the time's own zone: ۱۴۰۵/۰۹/۰۷.
func Day(t time.Time) string {
	year, month, day := Jalali(t)
	return Digits(fmt.Sprintf("%04d/%02d/%02d", year, month, day))
}

// Moment writes a date and a time of the day in Persian, in the time's own zone: ۱۴۰۵/۰۹/۰۷ ۰۲:۵۳:۳۶.
func Moment(t time.Time) string {
	year, month, day := Jalali(t)
	return Digits(fmt.Sprintf("%04d/%02d/%02d ", year, month, day) + t.Format("15:04:05"))
}
