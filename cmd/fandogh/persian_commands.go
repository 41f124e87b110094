package main

// persianCommands is the help of commands for images, keys, tokens and namespaces, in Persian.
var persianCommands = map[string]string{
	// What each command is for, as help says it.
	"Publish and manage container images": "انتشار و مدیریت ایمیج‌های کانتینر",
	"Publish and manage container images.\n" +
		"\n" +
		"A directory with a Dockerfile becomes an image by `fandogh image init`; each\n" +
		"`fandogh image publish` sends it to the server, which builds a version of the\n" +
		"image. A version never changes once it is built.\n" +
		"\n" +
		"The server's address is taken from --server, else $FANDOGH_SERVER, else the\n" +
		"last login, else http://127.0.0.1:8080. $FANDOGH_TOKEN takes the place\n" +
		"of a login, and $FANDOGH_NAMESPACE that of --namespace.\n" +
		"\n": "انتشار و مدیریت ایمیج‌های کانتینر.\n" +
		"\n" +
		"با `fandogh image init` پوشه‌ای که Dockerfile دارد ایمیج می‌شود؛ هر\n" +
		"`fandogh image publish` آن را به سرور می‌فرستد و سرور نسخه‌ای از ایمیج را می‌سازد.\n" +
		"هر نسخه پس از ساخته شدن دیگر تغییر نمی‌کند.\n" +
		"\n" +
		"نشانی سرور از --server گرفته می‌شود، وگرنه از $FANDOGH_SERVER، وگرنه از آخرین ورود،\n" +
		"وگرنه http://127.0.0.1:8080 است. $FANDOGH_TOKEN به جای ورود به کار می‌رود، و\n" +
		"$FANDOGH_NAMESPACE به جای --namespace.\n" +
		"\n",
	"Help about any command": "راهنمای هر فرمان",
	"Help provides help for any command in the application.\n" +
		"Simply type fandogh help [path to command] for full details.": "راهنمای هر فرمان برنامه را نشان می‌دهد.\n" +
		"برای جزئیات کامل بنویسید: fandogh help [path to command]",
	"Create, publish and manage images": "ساخت، انتشار و مدیریت ایمیج‌ها",
	"Create, publish and manage images.\n" +
		"\n" +
		"An image is a named project; each of its versions is built once and never\n" +
		"changes. Commands take the image from --image, else from .fandogh/config.yml\n" +
		"of the current directory, where `fandogh image init` saved it.": "ساخت، انتشار و مدیریت ایمیج‌ها.\n" +
		"\n" +
		"ایمیج پروژه‌ای است با یک نام؛ هر نسخهٔ آن یک بار ساخته می‌شود و دیگر تغییر\n" +
		"نمی‌کند. فرمان‌ها نام ایمیج را از --image می‌گیرند، وگرنه از .fandogh/config.yml\n" +
		"در پوشهٔ جاری، که `fandogh image init` آن را آنجا نوشته است.",
	"Create an image for the current directory": "ساخت ایمیج برای پوشهٔ جاری",
	"Create an image on the server and save its name in .fandogh/config.yml,\n" +
		"where the other image commands find it. It has no versions yet; publish creates them.\n" +
		"Run it once for each project. An image that already exists is used as it is.\n" +
		"\n" +
		"In a git work tree this also adds the remote \"fandogh\": a tag that is pushed to\n" +
		"it becomes a version.": "ایمیجی در سرور می‌سازد و نام آن را در .fandogh/config.yml می‌نویسد، جایی که\n" +
		"فرمان‌های دیگر image آن را می‌یابند. ایمیج هنوز نسخه‌ای ندارد؛ publish نسخه‌ها را\n" +
		"می‌سازد. برای هر پروژه یک بار اجرا کنید. اگر ایمیج از پیش باشد، همان به کار می‌رود.\n" +
		"\n" +
		"در درخت کاری گیت، ریموت \"fandogh\" هم افزوده می‌شود: هر تگی که به آن پوش شود نسخه\n" +
		"می‌شود.",
	"Build a version from the current directory": "ساخت نسخه از پوشهٔ جاری",
	"Send the current directory to the server, which builds a new version of the image\n" +
		"with its Dockerfile, and show the build's log until it ends.\n" +
		"\n" +
		"What .dockerignore and .fandoghignore exclude is not sent. .git is never sent; the Dockerfile\n" +
		"always is. Both files have the same syntax; an exception (!) in one does not\n" +
		"bring back what the other excludes.\n" +
		"\n" +
		"Ctrl-C while the log is shown only stops following; the build continues.\n" +
		"\n" +
		"The Dockerfile and the build context can be elsewhere in the directory, as set by\n" +
		"build.dockerfile and build.context of .fandogh/config.yml.": "پوشهٔ جاری را به سرور می‌فرستد، که با Dockerfile آن نسخه‌ای تازه از ایمیج می‌سازد، و\n" +
		"گزارش ساخت را تا پایان آن نشان می‌دهد.\n" +
		"\n" +
		"آنچه .dockerignore و .fandoghignore کنار می‌گذارند فرستاده نمی‌شود. پوشهٔ .git هرگز\n" +
		"فرستاده نمی‌شود و Dockerfile همیشه. قالب هر دو فایل یکی است؛ استثنا (!) در یکی،\n" +
		"آنچه را دیگری کنار گذاشته است بازنمی‌گرداند.\n" +
		"\n" +
		"فشردن Ctrl-C هنگام نمایش گزارش تنها دنبال کردن را متوقف می‌کند؛ ساخت ادامه دارد.\n" +
		"\n" +
		"جای Dockerfile و پوشهٔ ساخت را می‌توان با build.dockerfile و build.context در\n" +
		".fandogh/config.yml تغییر داد.",
	"Show the log of a version's build": "نمایش گزارش ساخت یک نسخه",
	"Show the log of a version's newest build so far, or with --follow\n" +
		"until the build ends. The exit status is 201 if the build failed.\n" +
		"\n" +
		"With --with_timestamp each line begins with the time since the build started,\n" +
		"which shows the slow steps.": "گزارش تازه‌ترین ساخت نسخه را تا اینجا نشان می‌دهد، یا با --follow تا پایان ساخت.\n" +
		"اگر ساخت ناموفق باشد، وضعیت خروج 201 است.\n" +
		"\n" +
		"با --with_timestamp هر خط با زمان گذشته از آغاز ساخت شروع می‌شود و مرحله‌های کند\n" +
		"دیده می‌شوند.",
	"List the images of the namespace": "فهرست ایمیج‌های فضای نام",
	"List the images of the namespace with the newest version of each, newest image first.": "ایمیج‌های فضای نام را با تازه‌ترین نسخهٔ هر یک فهرست می‌کند، از تازه‌ترین ایمیج.",
	"Search for images by name in all your namespaces":                                      "جست‌وجوی ایمیج با نام در همهٔ فضاهای نام شما",
	"List the images whose name contains TEXT, ignoring case, in all the namespaces\n" +
		"you belong to, or with --namespace only in that one.": "ایمیج‌هایی را فهرست می‌کند که TEXT در نامشان باشد، بدون توجه به بزرگی و کوچکی حروف، در\n" +
		"همهٔ فضاهای نامی که عضو آن‌ها هستید، یا با --namespace تنها در همان یکی.",
	"List the versions of an image": "فهرست نسخه‌های یک ایمیج",
	"List the versions of an image, newest first.\n" +
		"\n" +
		"A version is PENDING until its build begins, then BUILDING, and ends BUILT,\n" +
		"BUILD_FAILED (an error in the Dockerfile or the sources) or FAILED\n" +
		"(the server could not build it, or the build was cancelled).": "نسخه‌های یک ایمیج را فهرست می‌کند، از تازه‌ترین.\n" +
		"\n" +
		"وضعیت نسخه تا آغاز ساخت PENDING است، سپس BUILDING، و در پایان BUILT، یا\n" +
		"BUILD_FAILED (ایراد از Dockerfile یا کد است) یا FAILED\n" +
		"(سرور نتوانست آن را بسازد، یا ساخت لغو شد).",
	"Show details of a version": "نمایش جزئیات یک نسخه",
	"Show details of a version: what it was built from, its builds, how to pull it, how\n" +
		"its containers start, and its layers.": "جزئیات یک نسخه را نشان می‌دهد: از چه ساخته شده است، ساخت‌ها، روش پول کردن، شیوهٔ\n" +
		"آغاز کانتینرها، و لایه‌ها.",
	"Show the history of a version": "نمایش تاریخچهٔ یک نسخه",
	"Show the instructions that created a version's image, newest first, with the size\n" +
		"that each added, as docker image history does.": "دستورهایی را نشان می‌دهد که ایمیج نسخه را ساخته‌اند، از تازه‌ترین، با حجمی که هر یک\n" +
		"افزوده است؛ مانند docker image history.",
	"Delete an image, or one of its versions": "حذف ایمیج یا یکی از نسخه‌های آن",
	"Delete an image with all its versions, builds, logs and its git repository, or\n" +
		"with --version only that version. This can't be undone, and the name of a built\n" +
		"version stays taken: only the same image can have it again. You are asked to confirm;\n" +
		"without a terminal, --yes is required.": "ایمیج را با همهٔ نسخه‌ها، ساخت‌ها، گزارش‌ها و مخزن گیت آن حذف می‌کند، یا با --version\n" +
		"تنها همان نسخه را. این کار بازگشت ندارد، و نام نسخهٔ ساخته‌شده آزاد نمی‌شود: تنها\n" +
		"همان ایمیج می‌تواند دوباره آن را داشته باشد. پیش از حذف از شما پرسیده می‌شود؛ بدون\n" +
		"ترمینال، --yes لازم است.",
	"Rebuild a failed version from the same sources": "ساخت دوبارهٔ نسخهٔ ناموفق از همان کد",
	"Rebuild a version whose last build failed from the same sources, and show the\n" +
		"log until the build ends. A built version never changes.\n\n" +
		"It is built with the options of its last build, but for those given by --option,\n" +
		"which are those of git push -o that are about a build. no-cache=false,\n" +
		"pull=false, build-arg=NAME and an option without a value, such as target=, take\n" +
		"back what the last build had.": "نسخه‌ای را که آخرین ساخت آن ناموفق بوده است از همان کد دوباره می‌سازد، و گزارش را تا\n" +
		"پایان ساخت نشان می‌دهد. نسخهٔ ساخته‌شده هرگز تغییر نمی‌کند.\n\n" +
		"گزینه‌های ساخت همان گزینه‌های آخرین ساخت است، جز آنچه با --option داده شود، که همان\n" +
		"گزینه‌های git push -o دربارهٔ ساخت است. no-cache=false، pull=false، build-arg=NAME و\n" +
		"گزینهٔ بی‌مقدار، مانند target=، آنچه را آخرین ساخت داشته است برمی‌دارد.",
	"Cancel a version's build": "لغو ساخت یک نسخه",
	"Cancel the build of a version, whether it is running or queued. The version becomes\n" +
		"FAILED and can be built again.": "ساخت یک نسخه را لغو می‌کند، چه در حال اجرا باشد و چه در صف. وضعیت نسخه FAILED می‌شود\n" +
		"و می‌توان آن را دوباره ساخت.",
	"Show or set the default branch": "نمایش یا تغییر شاخهٔ پیش‌فرض",
	"Show the branch that git clone checks out, or set it with --branch. Until it is\n" +
		"set, it is main, else master, else the branch that was pushed first.\n" +
		"A branch that does not exist yet becomes the default when it is pushed. The default\n" +
		"branch can't be deleted by a push.": "شاخه‌ای را نشان می‌دهد که git clone آن را برمی‌دارد، یا با --branch آن را تغییر می‌دهد.\n" +
		"تا زمانی که تعیین نشده باشد، main است، وگرنه master، وگرنه نخستین شاخهٔ پوش‌شده.\n" +
		"شاخه‌ای که هنوز نیست، هنگام پوش شدن پیش‌فرض می‌شود. شاخهٔ پیش‌فرض را نمی‌توان با پوش\n" +
		"حذف کرد.",
	"Change the settings of an image": "تغییر تنظیمات یک ایمیج",
	"Change the settings of an image. With --signed-tags required, only annotated tags\n" +
		"with a good SSH or OpenPGP signature (git tag -s) by a key of a member who may write\n" +
		"become versions. Uploads, images that are pushed, branches and lightweight tags are\n" +
		"refused then, and so are rebuilds of them. Versions that are built stay.": "تنظیمات یک ایمیج را تغییر می‌دهد. با --signed-tags required تنها تگ‌های حاشیه‌دار با\n" +
		"امضای درست SSH یا OpenPGP (git tag -s) با کلید عضوی که اجازهٔ نوشتن دارد نسخه\n" +
		"می‌شوند. در این حال بارگذاری، پوش ایمیج، شاخه‌ها و تگ‌های ساده پذیرفته نمی‌شوند، و نه\n" +
		"ساخت دوبارهٔ آن‌ها. نسخه‌های ساخته‌شده می‌مانند.",
	"Store images of an archive in the registry": "وارد کردن ایمیج‌های یک بایگانی به رجیستری",
	"Store the images of an archive in the server's registry, where each becomes a\n" +
		"version that a Dockerfile can name after FROM: base images for a server without the\n" +
		"Internet, for one.\n" +
		"\n" +
		"SOURCE is what docker save, podman save, skopeo copy, crane pull or docker buildx\n" +
		"build --output type=oci wrote: a file, also one compressed by gzip, zstd or bzip2; a\n" +
		"directory with an OCI layout; or - for standard input. Prefix it with oci:,\n" +
		"oci-archive: or docker-archive: if it must be one of those, and append :NAME:TAG or\n" +
		":TAG to import one image of several.\n" +
		"\n" +
		"An image is stored under the last part of its name, and its tag is the version;\n" +
		"--image and --version replace them. An index of several platforms is stored as it is,\n" +
		"without the platforms that the archive does not contain. What is damaged or incomplete\n" +
		"is refused before anything is sent.": "ایمیج‌های یک بایگانی را در رجیستری سرور می‌گذارد. هر یک نسخه‌ای می‌شود که در Dockerfile\n" +
		"پس از FROM می‌توان آن را نام برد: برای نمونه ایمیج‌های پایه، برای سروری که اینترنت\n" +
		"ندارد.\n" +
		"\n" +
		"مبدأ (SOURCE) خروجی docker save، podman save، skopeo copy، crane pull یا docker buildx\n" +
		"build --output type=oci است: یک فایل، هم فشرده با gzip، zstd یا bzip2؛ پوشه‌ای با\n" +
		"ساختار OCI؛ یا - برای ورودی استاندارد. اگر باید یکی از این‌ها باشد، پیش از آن oci:،\n" +
		"oci-archive: یا docker-archive: بنویسید، و برای یک ایمیج از چند ایمیج، پس از آن\n" +
		":NAME:TAG یا :TAG.\n" +
		"\n" +
		"ایمیج با بخش آخر نامش ذخیره می‌شود و تگ آن نسخه است؛ --image و --version جای آن‌ها را\n" +
		"می‌گیرند. فهرست چند سکو همان‌گونه که هست ذخیره می‌شود، بدون سکوهایی که در بایگانی\n" +
		"نیستند. هر چه آسیب‌دیده یا ناقص باشد، پیش از ارسال رد می‌شود.",
	"Give an image to another namespace": "انتقال ایمیج به فضای نام دیگر",
	"Give an image to another namespace, with all its versions, its git repository, and\n" +
		"all images that are built from that repository. The image's own webhooks, GitHub\n" +
		"connection, secrets and retention rules go with it; members do not. You must be an\n" +
		"admin of both namespaces.\n" +
		"\n" +
		"Nothing is had by the old name any more: pushes and pulls by it are refused and told\n" +
		"the new one. No other image can have the old name; a transfer back takes it again. You\n" +
		"are asked to confirm; without a terminal, --yes is required.": "ایمیجی را به فضای نام دیگری منتقل می‌کند، با همهٔ نسخه‌ها، مخزن گیت، و همهٔ ایمیج‌هایی که از آن\n" +
		"مخزن ساخته می‌شوند. وب‌هوک‌ها، اتصال گیت‌هاب، رمزها و قاعده‌های نگه‌داری خود ایمیج با آن می‌روند؛\n" +
		"اعضا نه. باید مدیر هر دو فضای نام باشید.\n" +
		"\n" +
		"با نام پیشین دیگر چیزی به دست نمی‌آید: پوش و پول با آن رد می‌شود و نام تازه گفته می‌شود. هیچ\n" +
		"ایمیج دیگری نمی‌تواند نام پیشین را داشته باشد؛ انتقال به عقب آن را باز می‌گرداند. پیش از انتقال\n" +
		"از شما پرسیده می‌شود؛ بدون ترمینال، --yes لازم است.",
	"Manage your public keys": "مدیریت کلیدهای عمومی شما",
	"Manage the SSH keys that you push with, by which the server identifies you, and the\n" +
		"OpenPGP keys that you sign tags with. SSH keys sign tags, too.": "کلیدهای SSH شما را مدیریت می‌کند که با آن‌ها پوش می‌کنید و سرور شما را می‌شناسد، و\n" +
		"کلیدهای OpenPGP که تگ‌ها را با آن‌ها امضا می‌کنید. کلیدهای SSH هم تگ امضا می‌کنند.",
	"Add an SSH or OpenPGP public key": "افزودن کلید عمومی SSH یا OpenPGP",
	"Add an SSH public key from FILE, which ends in .pub, or from standard input if\n" +
		"FILE is -. The default FILE is ~/.ssh/id_ed25519.pub. An OpenPGP public key, as gpg\n" +
		"--armor --export prints it, is one to sign tags with. To renew one, delete it first.": "کلید عمومی SSH را از FILE می‌افزاید، که نامش به .pub پایان می‌یابد، یا اگر FILE علامت -\n" +
		"باشد از ورودی استاندارد. فایل پیش‌فرض ~/.ssh/id_ed25519.pub است. کلید عمومی OpenPGP،\n" +
		"چنان که gpg --armor --export چاپ می‌کند، برای امضای تگ است. برای تمدید، نخست آن را\n" +
		"حذف کنید.",
	"List your public keys": "فهرست کلیدهای عمومی شما",
	"List your public keys with the fingerprints that ssh-keygen -l and gpg -k print.": "کلیدهای عمومی شما را با اثر انگشتی فهرست می‌کند که ssh-keygen -l و gpg -k چاپ می‌کنند.",
	"Delete a public key": "حذف کلید عمومی",
	"Delete a public key by the ID that key list shows. It can't be used to push or to sign any more.": "کلید عمومی را با شناسه‌ای که key list نشان می‌دهد حذف می‌کند. دیگر نمی‌توان با آن پوش یا امضا کرد.",
	"Manage access tokens": "مدیریت توکن‌های دسترسی",
	"Manage access tokens for scripts, build servers and docker login. A token can be\n" +
		"used wherever a password is asked for.": "توکن‌های دسترسی را برای اسکریپت‌ها، سرورهای ساخت و docker login مدیریت می‌کند. هر جا\n" +
		"گذرواژه خواسته شود می‌توان توکن داد.",
	"Create a token": "ساخت توکن",
	"Create a token and print only its secret on standard output. The secret is shown\n" +
		"only once. A read token can view and pull; a write token can do everything that\n" +
		"you can.": "توکنی می‌سازد و تنها رمز آن را در خروجی استاندارد چاپ می‌کند. رمز تنها یک بار نمایش\n" +
		"داده می‌شود. با توکن read می‌توان دید و پول کرد؛ با توکن write هر کاری ممکن است که خود\n" +
		"شما می‌توانید.",
	"List your tokens": "فهرست توکن‌های شما",
	"List your tokens, including those created by logins. Their secrets can't be shown again.": "توکن‌های شما را فهرست می‌کند، از جمله آن‌هایی که با ورود ساخته شده‌اند. رمز آن‌ها را نمی‌توان دوباره نشان داد.",
	"Revoke a token": "باطل کردن توکن",
	"Revoke a token by the ID that token list shows. It stops working at once.": "توکن را با شناسه‌ای که token list نشان می‌دهد باطل می‌کند. توکن بی‌درنگ از کار می‌افتد.",
	"Share images with others in namespaces":                                    "اشتراک ایمیج‌ها با دیگران در فضاهای نام",
	"Share images with others in namespaces. You have a namespace of your own name; you can\n" +
		"create others or become a member of them. A member with the role read can view and\n" +
		"pull, with write also publish, and an admin can also delete and manage members.": "ایمیج‌ها را در فضاهای نام با دیگران مشترک می‌کند. فضای نامی هم‌نام خود دارید؛ می‌توانید\n" +
		"فضاهای دیگری بسازید یا عضو آن‌ها شوید. عضوی با نقش read می‌تواند ببیند و پول کند، با\n" +
		"write منتشر هم بکند، و admin می‌تواند حذف و اعضا را هم مدیریت کند.",
	"Create a namespace": "ساخت فضای نام",
	"Create a namespace. It is empty, and you are its only member and its admin.": "فضای نامی می‌سازد. این فضا خالی است، و تنها عضو و مدیر آن شما هستید.",
	"List your namespaces": "فهرست فضاهای نام شما",
	"List the namespaces that you belong to, with your role in each. With --all, which is\n" +
		"for administrators, list all namespaces of the server, with their admins.": "فضاهای نامی را که عضو آن‌ها هستید با نقش شما در هر یک فهرست می‌کند. با --all، که برای\n" +
		"مدیران سرور است، همهٔ فضاهای نام سرور را با مدیرانشان.",
	"List the members of a namespace":                                     "فهرست اعضای یک فضای نام",
	"List the members of a namespace with their roles.":                   "اعضای یک فضای نام را با نقش‌هایشان فهرست می‌کند.",
	"Show the limits of a namespace's builds and its quotas, or set them": "نمایش یا تغییر محدودیت‌های ساخت و سهمیه‌های یک فضای نام",
	"Show the limits that are set for a namespace's builds, and its quotas. With flags, set\n" +
		"those; this is for administrators. 0 is what the server gives all namespaces. A quota of none\n" +
		"is any amount. What a namespace has already stays when a quota is less.": "محدودیت‌های ساخت و سهمیه‌های یک فضای نام را نشان می‌دهد. با گزینه‌ها آن‌ها را تغییر\n" +
		"می‌دهد، که کار مدیران سرور است. مقدار 0 همان است که سرور به همهٔ فضاهای نام می‌دهد.\n" +
		"سهمیهٔ none یعنی نامحدود. اگر سهمیه از آنچه هست کمتر شود، موجودی می‌ماند.",
	"Give a user a role in a namespace": "دادن نقش به کاربر در فضای نام",
	"Give a user a role in a namespace: read, write or admin. It replaces the user's\n" +
		"previous role.": "به کاربر در فضای نام نقشی می‌دهد: read، write یا admin. این نقش جای نقش پیشین او را\n" +
		"می‌گیرد.",
	"Remove a user from a namespace":                                   "حذف کاربر از فضای نام",
	"Remove a user from a namespace. Its last admin can't be removed.": "کاربر را از فضای نام حذف می‌کند. آخرین مدیر را نمی‌توان حذف کرد.",
	"Delete a shared namespace":                                        "حذف فضای نام مشترک",
	"Delete a shared namespace; this is for administrators. It must have no images unless\n" +
		"--images is given. This can't be undone: you are asked to confirm, and without a\n" +
		"terminal --yes is required.": "فضای نام مشترکی را حذف می‌کند، که کار مدیران سرور است. فضا نباید ایمیجی داشته باشد، مگر\n" +
		"با --images. این کار بازگشت ندارد: پیش از حذف از شما پرسیده می‌شود، و بدون ترمینال\n" +
		"--yes لازم است.",
	"Set the namespace for later commands": "تعیین فضای نام برای فرمان‌های بعدی",
	"Set the namespace for later commands at this server. --namespace and\n" +
		"$FANDOGH_NAMESPACE override it. Logging in again resets it to your own.": "فضای نام را برای فرمان‌های بعدی در این سرور تعیین می‌کند. --namespace و\n" +
		"$FANDOGH_NAMESPACE بر آن برتری دارند. ورود دوباره آن را به فضای نام خودتان برمی‌گرداند.",
}
