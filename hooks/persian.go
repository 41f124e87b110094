package hooks

// persian is what a push says to people of what becomes of it, in Persian, by the English texts. What git itself reads is English.
var persian = map[string]string{
	"%s deleted":               "حذف شد: %s",
	"%s stored":                "ذخیره شد: %s",
	"%s stored%s":              "ذخیره شد: %s%s",
	"%s stored; building %s":   "ذخیره شد: %s؛ در حال ساخت %s",
	"%s is stored, but %s: %s": "ذخیره شد: %s، اما %s: %s",
	"%s queued as build %d; follow it with: %s":                    "نسخهٔ %s با ساخت %d در صف قرار گرفت؛ دنبال کردن آن: %s",
	"%s is already built: %s":                                      "نسخهٔ %s از پیش ساخته شده است: %s",
	"%s is already being built from this commit; its log follows:": "نسخهٔ %s هم‌اکنون از همین کامیت در حال ساخت است؛ گزارش آن:",
	"built: %s": "ساخته شد: %s",
	"The server is shutting down. %s stays queued and will be built after the restart; follow it then with: %s": "سرور در حال خاموش شدن است. نسخهٔ %s در صف می‌ماند و پس از راه‌اندازی دوباره ساخته می‌شود؛ آن زمان آن را دنبال کنید با: %s",
	"; push a tag to build a version":                                                                  "؛ برای ساختن نسخه یک تگ پوش کنید",
	"; nothing is built, as asked":                                                                     "؛ چنان که خواسته شد، چیزی ساخته نمی‌شود",
	"; there is a version of this name, of which nothing is built again":                               "؛ نسخه‌ای به این نام هست که دوباره ساخته نمی‌شود",
	", not built: %s":                                                                                  "، ساخته نشد: %s",
	", not built: its commit's message asks to skip it":                                                "، ساخته نشد: پیام کامیت آن خواسته است که ساخته نشود",
	", not built: it names none of the images that its commit lists (%s)":                              "، ساخته نشد: هیچ‌یک از ایمیج‌هایی را که کامیت فهرست می‌کند نام نمی‌برد (%s)",
	", not built: %s; to build it again, delete this tag with another push, and push it with -o build": "، ساخته نشد: %s؛ برای ساخت دوباره، این تگ را با پوش دیگری حذف کنید، و آن را با -o build پوش کنید",
}
