package web

import "maps"

// message is what the pages say, in each language. What differs comes in as %s.
type message struct{ English, Persian string }

// messages are all of it. A test holds the templates to it, and it to the states, triggers, outcomes and codes there are.
var messages = joined(pageMessages, accountMessages, settingsMessages, adminMessages)

// joined are the messages of all parts.
func joined(parts ...map[string]message) map[string]message {
	all := map[string]message{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

var pageMessages = map[string]message{
	"name": {"Fandogh", "فندق"},
	"skip": {"Skip to the content", "پرش به محتوا"},
	"back": {"Back to the first page", "بازگشت به صفحهٔ نخست"},

	"signin.title":        {"Sign in", "ورود"},
	"signin.name":         {"User name", "نام کاربری"},
	"signin.password":     {"Password", "گذرواژه"},
	"signin.button":       {"Sign in", "ورود"},
	"signin.unauthorized": {"The user name or the password is wrong.", "نام کاربری یا گذرواژه نادرست است."},
	"signin.rate_limited": {"Too many attempts failed. Wait a moment, then try again.", "تعداد تلاش‌های ناموفق زیاد بود. کمی صبر کنید و دوباره تلاش کنید."},
	"signin.forbidden":    {"You can't sign in with this.", "با این گذرواژه یا توکن نمی‌توانید وارد شوید."},
	"signout":             {"Sign out", "خروج"},

	"search.label":       {"Find an image, a version, a commit or a digest", "یافتن ایمیج، نسخه، کامیت یا دایجست"},
	"search.placeholder": {"Image, commit or digest", "نام ایمیج، کامیت یا دایجست"},
	"search.title":       {"Search", "جست‌وجو"},
	"search.none":        {"Nothing like that was found, or you have no access to it.", "چیزی با این مشخصات پیدا نشد یا به آن دسترسی ندارید."},
	"search.help": {
		"Type the name of an image, or how it begins; namespace/image:version; or 7 or more digits of a commit or a digest.",
		"نام ایمیج یا آغاز آن، یا namespace/image:version، یا دست‌کم ۷ رقم از کامیت یا دایجست را بنویسید.",
	},

	"error.invalid":      {"This request can't be understood", "این درخواست نامعتبر است"},
	"error.unauthorized": {"Sign in first", "ابتدا وارد شوید"},
	"error.forbidden":    {"You may not do this", "اجازهٔ این کار را ندارید"},
	"error.not_found":    {"This page does not exist, or you have no access to it", "این صفحه وجود ندارد یا به آن دسترسی ندارید"},
	"error.conflict":     {"This can't be done now", "این کار اکنون ممکن نیست"},
	"error.too_large":    {"This is too large", "اندازهٔ این درخواست بیش از حد مجاز است"},
	"error.rate_limited": {"Too many requests; wait a moment", "تعداد درخواست‌ها زیاد است؛ کمی صبر کنید"},
	"error.unavailable":  {"The server can't do this at the moment", "سرور در حال حاضر نمی‌تواند این کار را انجام دهد"},
	"error.internal":     {"The server made a mistake", "خطایی در سرور رخ داد"},

	"state.PENDING":      {"Waiting", "در صف"},
	"state.BUILDING":     {"Building", "در حال ساخت"},
	"state.BUILT":        {"Built", "ساخته شد"},
	"state.BUILD_FAILED": {"Build failed", "ساخت ناموفق"},
	"state.FAILED":       {"Failed", "ناموفق"},

	"trigger.":         {"–", "–"},
	"trigger.push":     {"git push", "پوش گیت"},
	"trigger.upload":   {"upload", "بارگذاری"},
	"trigger.github":   {"GitHub", "گیت‌هاب"},
	"trigger.registry": {"image push", "پوش ایمیج"},
	"trigger.rebuild":  {"rebuild", "ساخت دوباره"},

	"outcome.user_error":     {"The Dockerfile or a file of the commit is at fault.", "ایراد از Dockerfile یا فایل‌های این کامیت است."},
	"outcome.timeout":        {"It took longer than it may.", "ساخت بیش از زمان مجاز طول کشید."},
	"outcome.out_of_memory":  {"It needed more memory than it may have.", "ساخت بیش از حد مجاز حافظه لازم داشت."},
	"outcome.process_limit":  {"A step started more processes than it may.", "یکی از مرحله‌ها بیش از حد مجاز پردازه اجرا کرد."},
	"outcome.disk_limit":     {"Its steps wrote more than they may.", "مرحله‌های ساخت بیش از حد مجاز روی دیسک نوشتند."},
	"outcome.cancelled":      {"It was cancelled.", "ساخت لغو شد."},
	"outcome.infrastructure": {"The server is at fault, not your commit.", "ایراد از سرور است، نه از کامیت شما."},

	"home.title":     {"Images and builds", "ایمیج‌ها و ساخت‌ها"},
	"home.builds":    {"Latest builds", "آخرین ساخت‌ها"},
	"home.nobuilds":  {"Nothing was built lately.", "به‌تازگی چیزی ساخته نشده است."},
	"home.queue":     {"In the queue: %s. Being built: %s.", "در صف: %s، در حال ساخت: %s"},
	"home.place":     {"place %s of %s", "نوبت %s از %s"},
	"home.images":    {"Images", "ایمیج‌ها"},
	"home.noimages":  {"There is no image yet. Push a tag to make one:", "هنوز ایمیجی نیست. برای ساختن نخستین ایمیج، یک تگ پوش کنید:"},
	"home.all":       {"All images of %s", "همهٔ ایمیج‌های %s"},
	"home.live":      {"Something happened.", "اتفاق تازه‌ای افتاد."},
	"home.reload":    {"Show it", "نمایش"},
	"home.many":      {"You belong to more namespaces than are shown here.", "شما عضو فضاهای نام بیشتری هستید که اینجا نمایش داده نشده‌اند."},
	"namespace":      {"Namespace", "فضای نام"},
	"image":          {"Image", "ایمیج"},
	"version":        {"Version", "نسخه"},
	"build":          {"Build", "ساخت"},
	"build.number":   {"Build %s", "ساخت شمارهٔ %s"},
	"state":          {"State", "وضعیت"},
	"size":           {"Size", "حجم"},
	"change":         {"Change", "تغییر حجم"},
	"age":            {"Age", "زمان"},
	"commit":         {"Commit", "کامیت"},
	"trigger":        {"Trigger", "آغازگر"},
	"duration":       {"Duration", "مدت"},
	"digest":         {"Digest", "دایجست"},
	"tag":            {"Git tag", "تگ گیت"},
	"by":             {"Asked for by", "درخواست‌کننده"},
	"queued":         {"Asked for", "زمان درخواست"},
	"started":        {"Started", "زمان شروع"},
	"attempts":       {"Attempts", "تعداد تلاش‌ها"},
	"image.none":     {"There is no version here.", "نسخه‌ای برای نمایش نیست."},
	"image.all":      {"All", "همه"},
	"image.filter":   {"Filter by state", "پالایش بر پایهٔ وضعیت"},
	"image.versions": {"Versions", "نسخه‌ها"},
	"image.push":     {"How to push", "روش پوش کردن"},
	"image.pull":     {"How to pull", "روش پول کردن"},
	"next":           {"Older", "قدیمی‌تر"},
	"first":          {"Newest", "جدیدترین"},

	"version.config":      {"Configuration", "پیکربندی"},
	"version.env":         {"Environment", "متغیرهای محیطی"},
	"version.labels":      {"Labels", "برچسب‌ها"},
	"version.user":        {"User", "کاربر"},
	"version.dir":         {"Working directory", "پوشهٔ کاری"},
	"version.ports":       {"Ports", "درگاه‌ها"},
	"version.platforms":   {"Platforms", "سکوها"},
	"version.layers":      {"Layers", "لایه‌ها"},
	"version.instruction": {"Instruction", "دستور"},
	"version.builds":      {"Builds", "ساخت‌ها"},
	"version.unreadable":  {"The registry can't read this image now.", "رجیستری اکنون نمی‌تواند این ایمیج را بخواند."},
	"signature":           {"Signature of the tag", "امضای تگ"},
	"signature.verified":  {"signed by %s", "با امضای %s"},
	"signature.doubtful":  {"signed, but not by a known key of a member", "امضا شده، اما نه با کلید شناخته‌شدهٔ یکی از اعضا"},
	"signature.none":      {"none", "ندارد"},

	"build.log":      {"Log", "گزارش ساخت"},
	"build.nolog":    {"Nothing was printed yet.", "هنوز چیزی چاپ نشده است."},
	"build.raw":      {"Download the log", "دریافت گزارش کامل"},
	"build.earlier":  {"Earlier lines", "خط‌های پیشین"},
	"build.later":    {"Later lines", "خط‌های بعدی"},
	"build.live":     {"The log goes on here while the build runs.", "تا پایان ساخت، خط‌های تازه همین‌جا افزوده می‌شوند."},
	"build.nolive":   {"Load the page again for what was printed since.", "برای دیدن خط‌های تازه صفحه را دوباره بارگذاری کنید."},
	"build.steps":    {"Steps", "مرحله‌ها"},
	"build.step":     {"Step", "مرحله"},
	"build.cached":   {"from the cache", "از حافظهٔ نهان"},
	"build.cancel":   {"Cancel the build", "لغو ساخت"},
	"build.rebuild":  {"Build again", "ساخت دوباره"},
	"build.stopping": {"It was cancelled and is about to stop.", "لغو شده و در حال توقف است."},
	"build.why":      {"Why it waits", "دلیل انتظار"},

	"size.b":  {"%s B", "%s بایت"},
	"size.kb": {"%s kB", "%s کیلوبایت"},
	"size.mb": {"%s MB", "%s مگابایت"},
	"size.gb": {"%s GB", "%s گیگابایت"},
	"size.tb": {"%s TB", "%s ترابایت"},
	"time.s":  {"%s s", "%s ثانیه"},
	"time.ms": {"%s min %s s", "%s دقیقه و %s ثانیه"},
	"time.hm": {"%s h %s min", "%s ساعت و %s دقیقه"},
	"ago.now": {"just now", "همین حالا"},
	"ago.min": {"%s min ago", "%s دقیقه پیش"},
	"ago.h":   {"%s h ago", "%s ساعت پیش"},
	"ago.d":   {"%s days ago", "%s روز پیش"},
}
