package gitserver

// persian is what commands say, in Persian, by the English texts.
var persian = map[string]string{
	// Headings of tables, and what stands below them.
	"DURATION":                        "مدت",
	"MESSAGE":                         "پیام",
	"Access":                          "دسترسی",
	"Branches":                        "شاخه‌ها",
	"Context":                         "پوشهٔ ساخت",
	"Paths":                           "مسیرها",
	"Renamed from":                    "نام پیشین",
	"Repository":                      "مخزن",
	"Tags":                            "تگ‌ها",
	"Webhook":                         "وب‌هوک",
	"place %d of %d in the queue: %s": "نوبت %d از %d در صف: %s",

	// What a command says of what it did.
	"%s for the builds of %s.":   "برای ساخت‌های %[2]s انجام شد: %[1]s.",
	"Set %s":                     "ثبت %s",
	"Added the account %s at %s": "افزودن حساب %s در %s",
	"Removed %s.":                "حذف شد: %s.",
	"%s has no versions yet; push a tag to build one.":                                           "ایمیج %s هنوز نسخه‌ای ندارد؛ برای ساختن نسخه یک تگ پوش کنید.",
	"%s of %s has no builds.":                                                                    "نسخهٔ %s از %s ساختی ندارد.",
	"%s takes any tags, signed or not":                                                           "ایمیج %s هر تگی را می‌پذیرد، چه امضاشده و چه بدون امضا",
	"%s takes only tags that a member has signed":                                                "ایمیج %s تنها تگ‌هایی را می‌پذیرد که یکی از اعضا امضا کرده باشد",
	"%s takes only tags that a member has signed, as %s does, from whose repository it is built": "ایمیج %s تنها تگ‌هایی را می‌پذیرد که یکی از اعضا امضا کرده باشد، مانند %s که از مخزن آن ساخته می‌شود",
	"Cancelled build %d of %s:%s.":                                                               "ساخت %d از %s:%s لغو شد.",
	"Queued build %d of %s:%s; follow it with: %s":                                               "ساخت %d از %s:%s در صف قرار گرفت؛ دنبال کردن آن: %s",
	"Disconnected %s. Delete the webhook on GitHub, too.":                                        "اتصال %s قطع شد. وب‌هوک را در گیت‌هاب هم حذف کنید.",
	"No images yet; the first git push creates one.":                                             "هنوز ایمیجی نیست؛ نخستین git push یکی می‌سازد.",
	"On GitHub, under Settings > Webhooks > Add webhook, enter:\n" +
		"\n" +
		"  Payload URL   %s\n" +
		"  Content type  application/json\n" +
		"  Secret        %s\n" +
		"\n" +
		"and choose \"Just the push event\". The secret is not shown again.": "در گیت‌هاب، در صفحهٔ Settings > Webhooks > Add webhook این‌ها را وارد کنید:\n" +
		"\n" +
		"  Payload URL   %s\n" +
		"  Content type  application/json\n" +
		"  Secret        %s\n" +
		"\n" +
		"و گزینهٔ \"Just the push event\" را برگزینید. این رمز دوباره نمایش داده نمی‌شود.",
	"Showing the newest %d; run %s to show all.":                          "تنها %d ردیف تازه‌تر نمایش داده شد؛ برای دیدن همه: %s",
	"The repository's tags are being compared; check the result with: %s": "تگ‌های مخزن در حال مقایسه‌اند؛ نتیجه را ببینید با: %s",

	// Help.
	"Hello %s, this is Fandogh %s. There is no shell access; push a tag to build an image.\n" +
		"\n" +
		"  git remote add fandogh ssh://git@%s/my-app\n" +
		"  git tag v1.0\n" +
		"  git push fandogh v1.0\n" +
		"\n" +
		"Run %s to list the other commands.\n": "سلام %s، این فندق %s است. دسترسی به پوسته نیست؛ برای ساختن ایمیج یک تگ پوش کنید.\n" +
		"\n" +
		"  git remote add fandogh ssh://git@%s/my-app\n" +
		"  git tag v1.0\n" +
		"  git push fandogh v1.0\n" +
		"\n" +
		"فهرست فرمان‌های دیگر: %s\n",
	"Commands, as in: %s": "فرمان‌ها، مانند: %s",
	"IMAGE is app, or namespace/app. Your own NAMESPACE is %s.":                         "نام IMAGE به شکل app یا namespace/app است. فضای نام شما (NAMESPACE) این است: %s.",
	"With --lang fa or --lang en a command answers in that language, whatever LANG is.": "پاسخ فرمان با --lang fa یا --lang en به همان زبان است، هر چه LANG باشد.",
	"show this help": "نمایش این راهنما",
	"list your newest images, or all of them":                                "فهرست تازه‌ترین ایمیج‌های شما، یا همهٔ آن‌ها",
	"list an image's versions":                                               "فهرست نسخه‌های یک ایمیج",
	"list a version's builds":                                                "فهرست ساخت‌های یک نسخه",
	"show the log of a version's last build; follow it with -f":              "نمایش گزارش آخرین ساخت نسخه؛ دنبال کردن آن با -f",
	"cancel a version's build":                                               "لغو ساخت یک نسخه",
	"rebuild a failed version from the same commit, with other push options": "ساخت دوبارهٔ نسخهٔ ناموفق از همان کامیت، با گزینه‌های دیگر",
	"set the default branch":                                                 "تعیین شاخهٔ پیش‌فرض",
	"take only tags that a member has signed, or any":                        "پذیرفتن تنها تگ‌های امضاشدهٔ اعضا، یا هر تگی",
	"show an image's connection to GitHub and its recent deliveries":         "نمایش اتصال ایمیج به گیت‌هاب و تحویل‌های اخیر آن",
	"build images from a repository on GitHub; settings: tags, branches, paths, context; and token=-, deploy-key=- or secret=-, read from standard input": "ساخت ایمیج از مخزنی در گیت‌هاب؛ تنظیمات: tags، branches، paths، context؛ و token=-، deploy-key=- یا secret=-، از ورودی استاندارد",
	"build the repository's tags that are not versions yet":                "ساخت تگ‌هایی از مخزن که هنوز نسخه نشده‌اند",
	"disconnect an image from its repository; versions stay":               "قطع اتصال ایمیج از مخزن؛ نسخه‌ها می‌مانند",
	"list the secrets of a namespace's builds":                             "فهرست رمزهای ساخت‌های یک فضای نام",
	"set a secret, or with --ssh an SSH key, to what is on standard input": "ثبت رمز، یا با --ssh کلید SSH، از ورودی استاندارد",
	"remove a secret": "حذف رمز",
	"list the accounts at other registries that a namespace's builds use":                           "فهرست حساب‌های ساخت‌های یک فضای نام در رجیستری‌های دیگر",
	"add an account at another registry; the password is read from standard input":                  "افزودن حساب در رجیستری دیگر؛ گذرواژه از ورودی استاندارد خوانده می‌شود",
	"remove an account at another registry":                                                         "حذف حساب در رجیستری دیگر",
	"give an image to another namespace, with all that are built from its repository":               "انتقال ایمیج به فضای نام دیگر، با همهٔ ایمیج‌هایی که از مخزن آن ساخته می‌شوند",
	"show which versions of an image, or of a namespace's images, stay":                             "نمایش اینکه کدام نسخه‌های یک ایمیج، یا ایمیج‌های یک فضای نام، می‌مانند",
	"keep the last N versions, those of N days, and those that match; of branches' with --branches": "نگه داشتن N نسخهٔ آخر، نسخه‌های N روز گذشته، و آن‌ها که با الگو بخوانند؛ برای شاخه‌ها با --branches",
	"remove the rule of an image or a namespace: the next one holds":                                "حذف قاعدهٔ ایمیج یا فضای نام: قاعدهٔ بعدی برقرار می‌شود",
	"show what would be removed now, or by another rule":                                            "نمایش آنچه اکنون، یا با قاعده‌ای دیگر، حذف می‌شد",
	"list deleted versions, whose names no other image can have":                                    "فهرست نسخه‌های حذف‌شده، که نامشان را ایمیج دیگری نمی‌تواند داشته باشد",
}
