package language

// The Persian names of what a catalog has, by its own names.
var (
	States = map[string]string{
		"PENDING": "در صف", "BUILDING": "در حال ساخت", "BUILT": "ساخته شد", "BUILD_FAILED": "ساخت ناموفق", "FAILED": "ناموفق",
	}
	Triggers = map[string]string{
		"push": "پوش گیت", "upload": "بارگذاری", "github": "گیت‌هاب", "registry": "پوش ایمیج", "rebuild": "ساخت دوباره",
	}
	// Refusals say in general what an error of a code is. What exactly it is follows in English.
	Refusals = map[string]string{
		"invalid":      "این درخواست نامعتبر است",
		"unauthorized": "ابتدا وارد شوید",
		"forbidden":    "اجازهٔ این کار را ندارید",
		"not_found":    "چنین چیزی وجود ندارد یا به آن دسترسی ندارید",
		"conflict":     "این کار اکنون ممکن نیست",
		"moved":        "نام این ایمیج تغییر کرده است",
		"too_large":    "اندازهٔ این درخواست بیش از حد مجاز است",
		"rate_limited": "تعداد درخواست‌ها زیاد است؛ کمی صبر کنید",
		"unavailable":  "سرور در حال حاضر نمی‌تواند این کار را انجام دهد",
		"internal":     "خطایی در سرور رخ داد",
	}
)

// Name is a name of a map in a language: in English, and where there is no other, it is said as it is.
func (s Speaker) Name(names map[string]string, name string) string {
	if persian, ok := names[name]; ok && s.Persian() {
		return persian
	}
	return name
}

// Refusal puts what an error's code says in general before its sentence, which is English and marked so.
func (s Speaker) Refusal(code, sentence string) string {
	general, ok := Refusals[code]
	if !ok || !s.Persian() {
		return sentence
	}
	return general + " (به انگلیسی): " + sentence
}
