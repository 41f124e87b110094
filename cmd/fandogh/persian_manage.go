package main

// persianManagement is the help of all other commands, in Persian.
var persianManagement = map[string]string{
	// What each command is for that manages a server and what is beside images, as help says it.
	"Build images from a repository on GitHub": "ساخت ایمیج از مخزنی در گیت‌هاب",
	"Build images from a repository on GitHub. The tags of a connected repository, and\n" +
		"its branches if you choose, become versions of the image.": "ایمیج‌ها را از مخزنی در گیت‌هاب می‌سازد. تگ‌های مخزن متصل، و اگر بخواهید شاخه‌های آن،\n" +
		"نسخه‌های ایمیج می‌شوند.",
	"Connect an image to a repository, or update the connection": "اتصال ایمیج به مخزن، یا تغییر اتصال آن",
	"Connect an image to a repository, or update its connection; settings that are not\n" +
		"given stay unchanged. The settings of the webhook on GitHub are printed, with a\n" +
		"secret that is shown only once.\n" +
		"\n" +
		"Separate patterns with spaces or commas. A branch builds <branch>-<commit>. With\n" +
		"--paths a push builds only if one of these files differs from the newest version,\n" +
		"so that several images can come from one repository, each from its --context.\n" +
		"\n" +
		"A private repository needs a token or a deploy key, and commit statuses a token.": "ایمیجی را به مخزنی متصل می‌کند یا اتصال آن را تغییر می‌دهد؛ تنظیماتی که داده نشوند\n" +
		"تغییری نمی‌کنند. تنظیمات وب‌هوک در گیت‌هاب چاپ می‌شود، با رمزی که تنها یک بار نمایش\n" +
		"داده می‌شود.\n" +
		"\n" +
		"الگوها را با فاصله یا ویرگول جدا کنید. شاخه به نام <branch>-<commit> ساخته می‌شود. با\n" +
		"--paths هر پوش تنها زمانی ساخته می‌شود که یکی از این فایل‌ها با تازه‌ترین نسخه تفاوت\n" +
		"داشته باشد؛ پس چند ایمیج می‌توانند از یک مخزن باشند، هر یک با --context خود.\n" +
		"\n" +
		"مخزن خصوصی توکن یا کلید استقرار می‌خواهد، و وضعیت کامیت توکن.",
	"Show an image's connection and its recent deliveries":                                                     "نمایش اتصال ایمیج و تحویل‌های اخیر آن",
	"Show an image's connection, the result of each of the repository's refs, and GitHub's latest deliveries.": "اتصال ایمیج، نتیجهٔ هر یک از مرجع‌های مخزن، و آخرین تحویل‌های گیت‌هاب را نشان می‌دهد.",
	"Build the repository's tags that are not versions yet":                                                    "ساخت تگ‌هایی از مخزن که هنوز نسخه نشده‌اند",
	"Build the repository's tags that are not versions yet. The server also does so from\n" +
		"time to time, because GitHub sends no event when more than three tags are pushed at\n" +
		"once.": "تگ‌هایی از مخزن را که هنوز نسخه نشده‌اند می‌سازد. سرور خود نیز گاه‌به‌گاه چنین می‌کند،\n" +
		"زیرا گیت‌هاب برای پوش بیش از سه تگ با هم رویدادی نمی‌فرستد.",
	"Disconnect an image from its repository":                                                          "قطع اتصال ایمیج از مخزن",
	"Disconnect an image from its repository. Built versions stay. Delete the webhook on GitHub, too.": "اتصال ایمیج را از مخزنش قطع می‌کند. نسخه‌های ساخته‌شده می‌مانند. وب‌هوک را در گیت‌هاب هم حذف کنید.",
	"Manage webhooks for builds and versions":                                                          "مدیریت وب‌هوک‌های ساخت‌ها و نسخه‌ها",
	"Manage webhooks, which notify other programs of builds and versions. The server sends\n" +
		"a signed POST request to each URL and retries for some hours. Without --image a\n" +
		"webhook applies to the whole namespace.": "وب‌هوک‌ها را مدیریت می‌کند، که ساخت‌ها و نسخه‌ها را به برنامه‌های دیگر خبر می‌دهند. سرور\n" +
		"به هر نشانی درخواست POST امضاشده می‌فرستد و تا چند ساعت دوباره تلاش می‌کند. بدون\n" +
		"--image، وب‌هوک برای کل فضای نام است.",
	"Add a webhook": "افزودن وب‌هوک",
	"Add a webhook. Its secret is shown only once: each delivery has the\n" +
		"HMAC-SHA-256 of its body in the header X-Fandogh-Signature-256.\n" +
		"\n" +
		"The events are build.started, build.finished, version.created, version.deleted and\n" +
		"image.transferred.": "وب‌هوکی می‌افزاید. رمز آن تنها یک بار نمایش داده می‌شود: هر تحویل، HMAC-SHA-256 بدنهٔ خود را\n" +
		"در سرآیند X-Fandogh-Signature-256 دارد.\n" +
		"\n" +
		"رویدادها build.started، build.finished، version.created، version.deleted و\n" +
		"image.transferred هستند.",
	"List webhooks": "فهرست وب‌هوک‌ها",
	"List the webhooks of an image or, without --image, of the whole namespace.": "وب‌هوک‌های یک ایمیج را فهرست می‌کند یا، بدون --image، وب‌هوک‌های کل فضای نام را.",
	"Delete a webhook": "حذف وب‌هوک",
	"Delete a webhook by the ID that webhook list shows.":                                                  "وب‌هوک را با شناسه‌ای که webhook list نشان می‌دهد حذف می‌کند.",
	"Show recent deliveries of a webhook":                                                                  "نمایش تحویل‌های اخیر یک وب‌هوک",
	"Show the deliveries of a webhook within the last week, newest first, with the last response to each.": "تحویل‌های یک وب‌هوک در هفتهٔ گذشته را نشان می‌دهد، از تازه‌ترین، با آخرین پاسخ به هر یک.",
	"Send a delivery of a webhook again":                                                                   "فرستادن دوبارهٔ یک تحویل وب‌هوک",
	"Send a delivery of the last week again, by what webhook deliveries shows of it, which\n" +
		"is also its X-Fandogh-Delivery header. The receiver gets the same under that header.": "یکی از تحویل‌های هفتهٔ گذشته را دوباره می‌فرستد، با شناسه‌ای که webhook deliveries نشان\n" +
		"می‌دهد و همان سرآیند X-Fandogh-Delivery است. گیرنده همان را با همان سرآیند می‌گیرد.",
	"Manage kept images of other registries": "مدیریت ایمیج‌های نگه‌داشته از رجیستری‌های دیگر",
	"Manage the images of other registries that the server keeps for builds, so that they go\n" +
		"on when a registry does not respond or limits requests. These commands are for\n" +
		"administrators.": "ایمیج‌هایی از رجیستری‌های دیگر را مدیریت می‌کند که سرور برای ساخت‌ها نگه می‌دارد، تا اگر\n" +
		"رجیستری پاسخ ندهد یا درخواست‌ها را محدود کند، ساخت‌ها ادامه یابند. این فرمان‌ها برای\n" +
		"مدیران سرور است.",
	"List kept images of other registries": "فهرست ایمیج‌های نگه‌داشته از رجیستری‌های دیگر",
	"List the images of other registries that the server keeps for builds, the last used\n" +
		"first. SIZE is what is kept of an image; layers that images share are counted for each.\n" +
		"CHECKED is when the registry last confirmed what the tag means.": "ایمیج‌هایی از رجیستری‌های دیگر را فهرست می‌کند که سرور برای ساخت‌ها نگه می‌دارد، از آخرین\n" +
		"استفاده. ستون «حجم» آن است که از ایمیج نگه داشته می‌شود؛ لایه‌های مشترک برای هر ایمیج\n" +
		"شمرده می‌شوند. ستون «آخرین بررسی» زمانی است که رجیستری معنای تگ را تأیید کرده است.",
	"Remove kept images of other registries": "حذف ایمیج‌های نگه‌داشته از رجیستری‌های دیگر",
	"Remove images of other registries that the server keeps for builds: those of one image, with\n" +
		"or without a tag or digest, or all. Builds pull them again when they need them. Without\n" +
		"IMAGE and --unused-for everything goes: you are asked to confirm, and without a terminal\n" +
		"--yes is required.": "ایمیج‌هایی از رجیستری‌های دیگر را که سرور برای ساخت‌ها نگه می‌دارد حذف می‌کند: یک ایمیج را،\n" +
		"با تگ یا دایجست یا بدون آن، یا همه را. ساخت‌ها هر گاه لازم باشد دوباره آن‌ها را پول\n" +
		"می‌کنند. بدون IMAGE و --unused-for همه حذف می‌شود: از شما پرسیده می‌شود، و بدون ترمینال\n" +
		"--yes لازم است.",
	"Manage the build queue of the server": "مدیریت صف ساخت سرور",
	"Manage the build queue of the server. These commands are for administrators.\n" +
		"\n" +
		"While the queue is paused no build starts: running builds end, pushes are accepted, and\n" +
		"their builds wait and say why. The pause lasts until it is resumed, also over a restart\n" +
		"of the server.": "صف ساخت سرور را مدیریت می‌کند. این فرمان‌ها برای مدیران سرور است.\n" +
		"\n" +
		"تا زمانی که صف متوقف است هیچ ساختی آغاز نمی‌شود: ساخت‌های در حال اجرا به پایان می‌رسند،\n" +
		"پوش‌ها پذیرفته می‌شوند، و ساخت‌های آن‌ها منتظر می‌مانند و دلیل را می‌گویند. توقف تا پایان\n" +
		"دادن به آن می‌ماند، حتی پس از راه‌اندازی دوبارهٔ سرور.",
	"List the builds that run and wait": "فهرست ساخت‌های در حال اجرا و در صف",
	"List the builds that run and then those that wait, the next to start first, of all\n" +
		"namespaces.": "ساخت‌های در حال اجرا و سپس ساخت‌های در صف را فهرست می‌کند، از آن که زودتر آغاز می‌شود، از\n" +
		"همهٔ فضاهای نام.",
	"Let no more builds start": "توقف آغاز ساخت‌ها",
	"Let no more builds start, until \"fandogh queue resume\". Running builds go on. Pushes are\n" +
		"accepted, and their builds wait and say why.": "تا \"fandogh queue resume\" هیچ ساخت دیگری آغاز نمی‌شود. ساخت‌های در حال اجرا ادامه دارند.\n" +
		"پوش‌ها پذیرفته می‌شوند، و ساخت‌های آن‌ها منتظر می‌مانند و دلیل را می‌گویند.",
	"Let builds start again": "آغاز دوبارهٔ ساخت‌ها",
	"Let builds start again. Of a queue that is not paused this changes nothing.": "ساخت‌ها دوباره آغاز می‌شوند. اگر صف متوقف نباشد، چیزی تغییر نمی‌کند.",
	"Pause the queue and wait until no build runs":                                "توقف صف و انتظار تا پایان همهٔ ساخت‌ها",
	"Pause the queue, unless it is paused, and wait until no build runs, as before a reboot.\n" +
		"The queue stays paused until \"fandogh queue resume\", also when --timeout ends the wait.": "صف را، اگر متوقف نباشد، متوقف می‌کند و صبر می‌کند تا هیچ ساختی در حال اجرا نباشد، مانند پیش\n" +
		"از راه‌اندازی دوبارهٔ دستگاه. صف تا \"fandogh queue resume\" متوقف می‌ماند، حتی اگر\n" +
		"--timeout به انتظار پایان دهد.",
	"Manage the users of the server": "مدیریت کاربران سرور",
	"Manage the users of the server. These commands are for administrators. Keys and tokens\n" +
		"of a user are managed by \"fandogh key\" and \"fandogh token\" with --user.": "کاربران سرور را مدیریت می‌کند. این فرمان‌ها برای مدیران سرور است. کلیدها و توکن‌های کاربر\n" +
		"با \"fandogh key\" و \"fandogh token\" و گزینهٔ --user مدیریت می‌شوند.",
	"Add a user": "افزودن کاربر",
	"Add a user and the namespace of the same name. You are asked for the password, which\n" +
		"the user can change.": "کاربری و فضای نام هم‌نام او را می‌افزاید. گذرواژه از شما پرسیده می‌شود و کاربر می‌تواند آن\n" +
		"را تغییر دهد.",
	"List all users":                "فهرست همهٔ کاربران",
	"List all users of the server.": "همهٔ کاربران سرور را فهرست می‌کند.",
	"Show a user":                   "نمایش یک کاربر",
	"Show a user, and the namespaces that they belong to with their role in each.": "یک کاربر، و فضاهای نامی را که عضو آن‌ها است با نقش او در هر یک نشان می‌دهد.",
	"Set a user's password":                        "تغییر گذرواژهٔ کاربر",
	"Set a user's password. Tokens and keys stay.": "گذرواژهٔ کاربر را تغییر می‌دهد. توکن‌ها و کلیدها می‌مانند.",
	"Block a user's logins":                        "جلوگیری از ورود کاربر",
	"Block a user's logins at once, close open sessions and cancel queued builds. Everything\n" +
		"the user created stays.": "بی‌درنگ از ورود کاربر جلوگیری می‌کند، نشست‌های باز را می‌بندد و ساخت‌های در صف او را لغو\n" +
		"می‌کند. هر چه کاربر ساخته است می‌ماند.",
	"Enable a disabled user": "فعال کردن کاربر غیرفعال",
	"Enable a disabled user, with the same password, keys and tokens.":   "کاربر غیرفعال را با همان گذرواژه، کلیدها و توکن‌ها فعال می‌کند.",
	"Make a user an administrator":                                       "دادن مدیریت سرور به کاربر",
	"Make a user an administrator, who may do everything on the server.": "کاربر را مدیر سرور می‌کند، که هر کاری در سرور برایش مجاز است.",
	"Make an administrator an ordinary user":                             "گرفتن مدیریت سرور از کاربر",
	"Make an administrator an ordinary user. You can't demote yourself.": "مدیر سرور را کاربر عادی می‌کند. مدیریت را از خودتان نمی‌توانید بگیرید.",
	"Delete a user and the namespace of the same name":                   "حذف کاربر و فضای نام هم‌نام او",
	"Delete a user and the namespace of the same name, which must have no images unless\n" +
		"--images is given. Images in other namespaces stay. This can't be undone: you are asked\n" +
		"to confirm, and without a terminal --yes is required.": "کاربر و فضای نام هم‌نام او را حذف می‌کند، که نباید ایمیجی داشته باشد، مگر با --images.\n" +
		"ایمیج‌های او در فضاهای نام دیگر می‌مانند. این کار بازگشت ندارد: پیش از حذف از شما پرسیده\n" +
		"می‌شود، و بدون ترمینال --yes لازم است.",
	"List what users and administrators changed": "فهرست تغییرات کاربران و مدیران",
	"List what users and administrators changed, newest first: when, by whom, through which\n" +
		"interface and from where. This is for administrators.": "آنچه را کاربران و مدیران تغییر داده‌اند فهرست می‌کند، از تازه‌ترین: چه زمان، به دست چه کسی،\n" +
		"از چه راهی و از کجا. این فرمان برای مدیران سرور است.",
	"Manage secrets that builds are given": "مدیریت رمزهایی که به ساخت‌ها داده می‌شود",
	"Manage secrets that builds are given: values for RUN --mount=type=secret,id=NAME, and\n" +
		"SSH keys for RUN --mount=type=ssh,id=NAME. The server stores them encrypted, never\n" +
		"shows them again, masks them in build logs and keeps them out of images. Without\n" +
		"--image a secret is for all images of the namespace.": "رمزهایی را که به ساخت‌ها داده می‌شود مدیریت می‌کند: مقدار برای\n" +
		"RUN --mount=type=secret,id=NAME و کلید SSH برای RUN --mount=type=ssh,id=NAME. سرور آن‌ها\n" +
		"را رمزنگاری‌شده نگه می‌دارد، هرگز دوباره نشان نمی‌دهد، در گزارش ساخت می‌پوشاند و به ایمیج\n" +
		"راه نمی‌دهد. بدون --image، رمز برای همهٔ ایمیج‌های فضای نام است.",
	"Set a secret to what is on standard input": "ثبت رمز از ورودی استاندارد",
	"Set a secret to what is on standard input, to the byte and at most 64 KiB. A secret of the\n" +
		"same name, image and tags gets the new value. A build is given the most specific\n" +
		"secret of a name: that of its image before that of the namespace, and one for some\n" +
		"versions before one for all.\n" +
		"\n" +
		"With --ssh the value is a private key without a passphrase. Steps reach it through an\n" +
		"SSH agent and can't read it; the name default is for mounts without an id.": "آنچه را در ورودی استاندارد است، بایت به بایت و حداکثر 64 KiB، رمز می‌کند. رمزی با همان نام،\n" +
		"ایمیج و تگ‌ها مقدار تازه را می‌گیرد. ساخت از رمزهای هم‌نام خاص‌ترین را می‌گیرد: رمز ایمیج\n" +
		"پیش از رمز فضای نام، و رمز برخی نسخه‌ها پیش از رمز همهٔ نسخه‌ها.\n" +
		"\n" +
		"با --ssh مقدار، کلید خصوصی بدون گذرواژه است. مرحله‌ها از راه عامل SSH به آن دسترسی دارند و\n" +
		"نمی‌توانند آن را بخوانند؛ نام default برای mount بدون id است.",
	"List secrets": "فهرست رمزها",
	"List the secrets of the namespace and when their values were set. The values are never shown.": "رمزهای فضای نام و زمان ثبت مقدارشان را فهرست می‌کند. مقدارها هرگز نمایش داده نمی‌شوند.",
	"Remove a secret": "حذف رمز",
	"Remove a secret; the options must be those that it was set with. Builds that run have it\n" +
		"until they end, and what steps made with it stays in the images.": "رمزی را حذف می‌کند؛ گزینه‌ها باید همان‌ها باشند که با آن‌ها ثبت شده است. ساخت‌های در حال اجرا\n" +
		"تا پایان آن را دارند، و آنچه مرحله‌ها با آن ساخته‌اند در ایمیج‌ها می‌ماند.",
	"Manage accounts at other registries": "مدیریت حساب‌ها در رجیستری‌های دیگر",
	"Manage the namespace's accounts at other registries. Its builds use them for FROM,\n" +
		"COPY --from and \"# syntax=\". The server stores passwords encrypted and never shows them\n" +
		"again.": "حساب‌های فضای نام در رجیستری‌های دیگر را مدیریت می‌کند. ساخت‌ها از آن‌ها برای FROM،\n" +
		"COPY --from و \"# syntax=\" استفاده می‌کنند. سرور گذرواژه‌ها را رمزنگاری‌شده نگه می‌دارد و\n" +
		"هرگز دوباره نشان نمی‌دهد.",
	"Add an account at a registry, or change it": "افزودن یا تغییر حساب در یک رجیستری",
	"Add an account at a registry, or change the one that is there. HOST is written as in image\n" +
		"names: ghcr.io or registry.example.com:5000. Docker Hub is docker.io, by any of its names.\n" +
		"An access token that may only read is better than a password.\n" +
		"\n" +
		"With --installation, which is for administrators, the builds of every namespace without an\n" +
		"account of its own there use it: whatever it may pull, all users can.": "حسابی در یک رجیستری می‌افزاید، یا حساب موجود را تغییر می‌دهد. میزبان (HOST) مانند نام ایمیج\n" +
		"نوشته می‌شود: ghcr.io یا registry.example.com:5000. داکرهاب با هر نامی docker.io است.\n" +
		"توکن دسترسی که تنها بتواند بخواند از گذرواژه بهتر است.\n" +
		"\n" +
		"با --installation، که کار مدیران سرور است، ساخت‌های هر فضای نامی که آنجا حسابی از خود ندارد آن را به\n" +
		"کار می‌برند: هر چه با آن پول شود، برای همهٔ کاربران ممکن است.",
	"List accounts at other registries": "فهرست حساب‌ها در رجیستری‌های دیگر",
	"List the namespace's accounts at other registries and when their passwords were set. The passwords are never shown.": "حساب‌های فضای نام در رجیستری‌های دیگر و زمان ثبت گذرواژه‌هایشان را فهرست می‌کند. گذرواژه‌ها هرگز نمایش داده نمی‌شوند.",
	"Remove an account at a registry": "حذف حساب در یک رجیستری",
	"Remove the namespace's account at a registry, whose host is written as registry list shows it.": "حساب فضای نام در یک رجیستری را حذف می‌کند. میزبان همان‌گونه نوشته می‌شود که registry list نشان می‌دهد.",
	"Say which versions stay": "تعیین نسخه‌هایی که می‌مانند",
	"Say which built versions stay. A rule keeps the last so many, those of so many days, and\n" +
		"those that match a pattern; what no part of it keeps is removed, with image data, tag and\n" +
		"logs. Versions that pushed branches were built as (main-1a2b3c4) have a rule of their own.\n" +
		"\n" +
		"An image's rule is its own, else that of its namespace, else the server's; none adds to\n" +
		"another. Whatever the rule, these stay: the newest version, latest, what a branch is at,\n" +
		"what another version is built from, and what is being built, signed or pulled.\n" +
		"\n" +
		"The name of a version that was removed is free for the same image alone.": "تعیین می‌کند کدام نسخه‌های ساخته‌شده می‌مانند. هر قاعده تعدادی از آخرین نسخه‌ها، نسخه‌های چند\n" +
		"روز گذشته، و نسخه‌هایی را که با الگویی بخوانند نگه می‌دارد؛ هر چه هیچ بخشی از قاعده نگه\n" +
		"ندارد حذف می‌شود، با داده‌های ایمیج، تگ و گزارش‌ها. نسخه‌های ساخته‌شده از شاخه‌های\n" +
		"پوش‌شده (main-1a2b3c4) قاعدهٔ خود را دارند.\n" +
		"\n" +
		"قاعدهٔ ایمیج از خود آن است، وگرنه از فضای نام آن، وگرنه از سرور؛ هیچ‌یک به دیگری افزوده\n" +
		"نمی‌شود. قاعده هر چه باشد، این‌ها می‌مانند: تازه‌ترین نسخه، latest، آنچه شاخه‌ای بر آن است،\n" +
		"آنچه نسخهٔ دیگری از آن ساخته شده است، و آنچه در حال ساخت، امضا یا پول شدن است.\n" +
		"\n" +
		"نام نسخهٔ حذف‌شده تنها برای همان ایمیج آزاد است.",
	"Show the rules of an image or of the namespace": "نمایش قاعده‌های ایمیج یا فضای نام",
	"Show the rules that are in force for an image, or with no --image for the images of the namespace that have none of their own, and whose they are.": "قاعده‌های جاری برای یک ایمیج را نشان می‌دهد، یا بدون --image برای ایمیج‌هایی از فضای نام که قاعدهٔ خود را ندارند، و اینکه قاعده از کیست.",
	"Set the rule of an image or of the namespace": "تعیین قاعدهٔ ایمیج یا فضای نام",
	"Set the rule of an image, or with no --image of the namespace, in place of the one it has. Look at retention preview first.": "قاعدهٔ یک ایمیج، یا بدون --image قاعدهٔ فضای نام را به جای قاعدهٔ کنونی تعیین می‌کند. نخست retention preview را ببینید.",
	"Remove the rule of an image or of the namespace":                                                                                    "حذف قاعدهٔ ایمیج یا فضای نام",
	"Remove the own rule of an image, or with no --image of the namespace: then the next one holds.":                                     "قاعدهٔ خود ایمیج، یا بدون --image قاعدهٔ فضای نام را حذف می‌کند: پس از آن قاعدهٔ بعدی برقرار است.",
	"Show which versions of an image would be removed":                                                                                   "نمایش نسخه‌هایی از ایمیج که حذف می‌شدند",
	"Show what would become of each version of an image now, and why. With a rule, what it would be with that rule. Nothing is changed.": "نشان می‌دهد اکنون بر سر هر نسخهٔ ایمیج چه می‌آید و چرا؛ و با یک قاعده، با آن قاعده چه می‌آید. چیزی تغییر نمی‌کند.",
	"List the deleted versions of an image":                                                                                              "فهرست نسخه‌های حذف‌شدهٔ ایمیج",
	"List the built versions of an image that retention removed or a user deleted. Their names are free for\n" +
		"the same images alone; an administrator of the server can free one (fandoghd admin tombstone lift).": "نسخه‌های ساخته‌شده‌ای از ایمیج را فهرست می‌کند که با قاعده یا به دست کاربر حذف شده‌اند. نام آن‌ها تنها برای\n" +
		"همان ایمیج‌ها آزاد است؛ مدیر سرور می‌تواند نامی را آزاد کند (fandoghd admin tombstone lift).",
	"Show what the images of a namespace take on the server's disk": "نمایش فضایی که ایمیج‌های فضای نام روی دیسک سرور می‌گیرند",
	"Show what the images of a namespace take on the server's disk: layers and Git LFS objects\n" +
		"of each image alone (OWN), those that another of these images has as well (SHARED), its git\n" +
		"repository, and the logs of its builds. The last line is all of it, each layer once.\n" +
		"Without NAMESPACE it is that of `fandogh namespace use`, or your own.\n" +
		"\n" +
		"With --all it is, for administrators, what each namespace takes, and what each part of the\n" +
		"server's data directory does, such as the build cache and the database.": "نشان می‌دهد ایمیج‌های فضای نام چقدر از دیسک سرور را گرفته‌اند: لایه‌ها و اشیای Git LFS که تنها از\n" +
		"همان ایمیج است (اختصاصی)، آن‌ها که ایمیج دیگری هم دارد (مشترک)، مخزن گیت، و گزارش‌های\n" +
		"ساخت. خط آخر جمع همه است و هر لایه در آن یک بار شمرده می‌شود.\n" +
		"بدون NAMESPACE، فضای نام همان است که `fandogh namespace use` تعیین کرده، یا فضای خودتان.\n" +
		"\n" +
		"با --all، برای مدیران سرور، آنچه هر فضای نام گرفته است و آنچه هر بخش پوشهٔ دادهٔ سرور، مانند حافظهٔ\n" +
		"نهان ساخت و پایگاه داده، گرفته است.",
	"Verify that a version is what was built from its commit": "بررسی اینکه نسخه همان است که از کامیتش ساخته شده",
	"Verify that a version is what was built from its commit: the tag names the commit,\n" +
		"which has the tree, which the provenance says the image was built from, whose\n" +
		"manifest the server's key has signed and whose layers the registry serves. Each link\n" +
		"is one line, and all of it is computed here from what the server sends. Only the\n" +
		"server is asked.\n" +
		"\n" +
		"Without --key the server says itself which keys are its own, so that a server which\n" +
		"lies in everything can't be told. Keep the key that\n" +
		"`fandoghd admin signing-key` prints, and name it. The file may contain several\n" +
		"keys, of which any may have signed.\n" +
		"\n" +
		"A tag's SSH signature is verified. --signers requires a signature by a key of a file:\n" +
		"SSH keys in the form of authorized_keys, and OpenPGP keys as gpg --armor --export\n" +
		"writes them. An OpenPGP signature is verified by such a key alone.\n" +
		"\n" +
		"What the server signed says by which name the image went then. Of a version from before\n" +
		"the image was transferred to another namespace, name that with --formerly.\n" +
		"\n" +
		"--rebuild has the server build the version again, without caches and from the same\n" +
		"base images, and compares: the same digest, or which files and fields differ and what\n" +
		"made them. It takes as long as a build, and the right to push. Nothing of it is kept.\n" +
		"\n" +
		"The command fails when a link does, and when a version was not built here.": "بررسی می‌کند که نسخه همان است که از کامیتش ساخته شده است: تگ به کامیت اشاره می‌کند، کامیت\n" +
		"درختی دارد، سند منشأ می‌گوید ایمیج از آن ساخته شده است، مانیفست ایمیج را کلید سرور امضا\n" +
		"کرده و لایه‌هایش را رجیستری ارائه می‌کند. هر حلقه یک خط است، و همه اینجا از آنچه سرور\n" +
		"می‌فرستد محاسبه می‌شود. تنها از سرور پرسیده می‌شود.\n" +
		"\n" +
		"بدون --key خود سرور می‌گوید کدام کلیدها از آن او است، و سروری که همه چیز را دروغ بگوید\n" +
		"شناخته نمی‌شود. کلیدی را که `fandoghd admin signing-key` چاپ می‌کند نگه دارید و مشخص کنید.\n" +
		"فایل می‌تواند چند کلید داشته باشد که امضای هر یک پذیرفته است.\n" +
		"\n" +
		"امضای SSH تگ بررسی می‌شود. گزینهٔ --signers امضا با یکی از کلیدهای یک فایل را لازم می‌کند:\n" +
		"کلیدهای SSH به شکل authorized_keys و کلیدهای OpenPGP چنان که gpg --armor --export\n" +
		"می‌نویسد. امضای OpenPGP تنها با چنین کلیدی بررسی می‌شود.\n" +
		"\n" +
		"آنچه سرور امضا کرده، نام ایمیج در آن زمان را می‌گوید. برای نسخه‌ای از پیش از انتقال ایمیج به فضای نام\n" +
		"دیگر، آن نام را با --formerly مشخص کنید.\n" +
		"\n" +
		"گزینهٔ --rebuild نسخه را در سرور دوباره می‌سازد، بدون حافظهٔ نهان و از همان ایمیج‌های پایه، و\n" +
		"مقایسه می‌کند: همان دایجست، یا اینکه کدام فایل‌ها و فیلدها تفاوت دارند و از کجا آمده‌اند.\n" +
		"به اندازهٔ یک ساخت زمان می‌برد و حق پوش می‌خواهد. چیزی از آن نگه داشته نمی‌شود.\n" +
		"\n" +
		"اگر حلقه‌ای نادرست باشد، یا نسخه اینجا ساخته نشده باشد، فرمان ناموفق است.",
	"Print the packages in a version's image": "چاپ بسته‌های درون ایمیج یک نسخه",
	"Print the packages in a version's image as a document of SPDX 2.3 in JSON: those of the\n" +
		"system (deb, apk, rpm, pacman), and what Go, Rust, Java, JavaScript, Python, Ruby,\n" +
		"PHP and .NET have installed or linked into programs.\n" +
		"\n" +
		"The server makes the document when it is first asked for, which takes as long as\n" +
		"reading the image, signs it and attaches it to the image, where\n" +
		"`cosign verify-attestation --type spdxjson` finds it.": "بسته‌های درون ایمیج یک نسخه را در سند SPDX 2.3 به شکل JSON چاپ می‌کند: بسته‌های سیستم (deb،\n" +
		"apk، rpm، pacman) و آنچه Go، Rust، Java، JavaScript، Python، Ruby، PHP و .NET نصب\n" +
		"کرده‌اند یا در برنامه‌ها پیوند شده است.\n" +
		"\n" +
		"سرور سند را در نخستین درخواست می‌سازد، که به اندازهٔ خواندن ایمیج زمان می‌برد، آن را امضا\n" +
		"می‌کند و به ایمیج پیوست می‌کند، جایی که\n" +
		"`cosign verify-attestation --type spdxjson` آن را می‌یابد.",
	"Generate the shell completion script": "تولید اسکریپت تکمیل خودکار پوسته",
	"Generate the script that completes commands, flags, image names and versions in\n" +
		"your shell: bash, zsh, fish or powershell.": "اسکریپتی تولید می‌کند که فرمان‌ها، گزینه‌ها، نام ایمیج‌ها و نسخه‌ها را در پوستهٔ شما تکمیل\n" +
		"می‌کند: bash، zsh، fish یا powershell.",
	"Log in to a server": "ورود به سرور",
	"Log in to a server with user name and password.\n" +
		"\n" +
		"The password is exchanged for a token, which is stored for this server in your\n" +
		"configuration directory, readable only by you. The token of an earlier login to the\n" +
		"server is revoked. The server is saved, so later commands need no --server.": "با نام کاربری و گذرواژه به سرور وارد می‌شود.\n" +
		"\n" +
		"گذرواژه با توکنی عوض می‌شود که برای این سرور در پوشهٔ پیکربندی شما ذخیره می‌شود و تنها خود\n" +
		"شما می‌توانید آن را بخوانید. توکن ورود پیشین به این سرور باطل می‌شود. نشانی سرور ذخیره\n" +
		"می‌شود، پس فرمان‌های بعدی --server نمی‌خواهند.",
	"Log out of a server": "خروج از سرور",
	"Log out of a server: the token is revoked on the server, so that copies of it stop\n" +
		"working, and deleted here. If the server can't be reached, the token is still\n" +
		"deleted here.": "از سرور خارج می‌شود: توکن در سرور باطل می‌شود تا رونوشت‌های آن از کار بیفتند، و اینجا حذف\n" +
		"می‌شود. اگر دسترسی به سرور ممکن نباشد، توکن باز هم اینجا حذف می‌شود.",
	"Show the current user, server and namespace": "نمایش کاربر، سرور و فضای نام کنونی",
	"Show the user you are logged in as, the server, and the namespace that commands\n" +
		"use. This asks the server, so it also shows whether the login is still valid.": "کاربری را که با آن وارد شده‌اید، سرور، و فضای نامی را که فرمان‌ها به کار می‌برند نشان می‌دهد.\n" +
		"از سرور پرسیده می‌شود، پس اعتبار ورود را هم نشان می‌دهد.",
	"Show and free names that stay taken": "نمایش و آزاد کردن نام‌هایی که گرفته می‌مانند",
	"Show and free names that stay taken: those of built versions that were deleted, which the\n" +
		"same image alone can have again, and those that images had before they were transferred\n" +
		"to another namespace.": "نام‌هایی را که گرفته می‌مانند نشان می‌دهد و آزاد می‌کند: نام نسخه‌های ساخته‌شده‌ای که حذف شده‌اند و\n" +
		"تنها همان ایمیج می‌تواند دوباره داشته باشد، و نام‌هایی که ایمیج‌ها پیش از انتقال به فضای نام دیگر\n" +
		"داشته‌اند.",
	"List names that stay taken": "فهرست نام‌هایی که گرفته می‌مانند",
	"List the deleted versions of an image whose names stay taken, or without --image the\n" +
		"names of images that were transferred from the namespace.": "نسخه‌های حذف‌شدهٔ یک ایمیج را که نامشان گرفته می‌ماند فهرست می‌کند، یا بدون --image نام ایمیج‌هایی را\n" +
		"که از این فضای نام منتقل شده‌اند.",
	"Free the name of a deleted version, or of a transferred image": "آزاد کردن نام نسخهٔ حذف‌شده یا ایمیج منتقل‌شده",
	"Free the name of a deleted version, or without --version the name that an image had before\n" +
		"it was transferred: another image may have it then, and those who still use the name get that\n" +
		"one. This is for administrators.": "نام نسخهٔ حذف‌شده را آزاد می‌کند، یا بدون --version نامی را که ایمیج پیش از انتقال داشته است: پس از آن\n" +
		"ایمیج دیگری می‌تواند این نام را داشته باشد، و کسانی که هنوز آن را به کار می‌برند همان را می‌گیرند.\n" +
		"این فرمان برای مدیران سرور است.",
}
