package rows_test

import (
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

// Each form of a word leads to both, so that a form that is right already stays.
func TestSingularAndPlural(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for pair := range strings.FieldsSeq(pairs) {
		one, many, ok := strings.Cut(pair, "/")
		if !ok {
			many = one
		}
		if seen[many] {
			t.Errorf("%s is there twice", many)
		}
		seen[many] = true
		for _, word := range []string{one, many} {
			if got := rows.Singular(word); got != one {
				t.Errorf("the singular of %s: got %s; want %s", word, got, one)
			}
			if got := rows.Plural(word); got != many {
				t.Errorf("the plural of %s: got %s; want %s", word, got, many)
			}
		}
	}
	if n := len(seen); n < 250 {
		t.Errorf("%d words", n)
	}
}

// Some words have two plurals, and some plurals two singulars. Words that the rules
// don't know change by their last letters.
func TestOneWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ word, one, many string }{
		{"indexes", "index", "indexes"}, {"appendixes", "appendix", "appendixes"},
		{"cactuses", "cactus", "cactuses"}, {"syllabuses", "syllabus", "syllabuses"},
		{"bureaus", "bureau", "bureaus"}, {"plateaux", "plateau", "plateaux"},
		{"axis", "axis", "axes"}, {"basis", "basis", "bases"}, {"mangoes", "mangoe", "mangoes"},
		{"people's", "people'", "people's"}, // an apostrophe has no rule
		{"chaos", "chao", "chaos"},
		{"zorb", "zorb", "zorbs"}, {"zorbs", "zorb", "zorbs"},
		{"café", "café", "café"}, {"cafés", "café", "cafés"}, {"статьи", "статьи", "статьи"}, {"記事", "記事", "記事"},
		{"posts2", "posts2", "posts2s"},
		{"", "", ""}, {"s", "s", "s"}, {"y", "y", "ys"}, {"_", "_", "_"}, {"posts_", "posts_", "posts_"},
	} {
		if got := rows.Singular(c.word); got != c.one {
			t.Errorf("the singular of %q: got %q; want %q", c.word, got, c.one)
		}
		if got := rows.Plural(c.word); got != c.many {
			t.Errorf("the plural of %q: got %q; want %q", c.word, got, c.many)
		}
	}
	if got := rows.ForeignKey("categories"); got != "categoryId" {
		t.Errorf("the key of categories is %s", got)
	}
}

// No name breaks the rules, and a second turn changes no singular.
func FuzzSingularAndPlural(f *testing.F) {
	for _, name := range []string{"", "s", "ss", "blogPosts", "S", "_s", "é", "\xff", "İs", "women", "eaux"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		one, many := rows.Singular(name), rows.Plural(name)
		if name != "" && (one == "" || many == "") {
			t.Errorf("%q: singular %q, plural %q", name, one, many)
		}
		if n := len(name); len(one) > n+4 || len(many) > n+4 {
			t.Errorf("%q: singular %q, plural %q", name, one, many)
		}
	})
}

// pairs are the names of collections, singular and plural.
const pairs = `
post/posts comment/comments user/users todo/todos album/albums photo/photos article/articles blog/blogs
author/authors book/books review/reviews tag/tags topic/topics page/pages profile/profiles account/accounts
role/roles permission/permissions group/groups team/teams member/members friend/friends follower/followers
like/likes vote/votes poll/polls question/questions answer/answers message/messages chat/chats room/rooms
channel/channels notification/notifications email/emails file/files folder/folders image/images video/videos
product/products item/items order/orders cart/carts payment/payments invoice/invoices customer/customers
client/clients vendor/vendors supplier/suppliers store/stores shop/shops discount/discounts coupon/coupons
price/prices size/sizes color/colors brand/brands offer/offers deal/deals sale/sales warehouse/warehouses
shipment/shipments return/returns employee/employees manager/managers department/departments project/projects
task/tasks ticket/tickets bug/bugs issue/issues sprint/sprints milestone/milestones event/events
meeting/meetings appointment/appointments schedule/schedules calendar/calendars note/notes document/documents
student/students teacher/teachers grade/grades lesson/lessons exam/exams score/scores player/players
game/games level/levels badge/badges recipe/recipes ingredient/ingredients meal/meals drink/drinks
restaurant/restaurants hotel/hotels guest/guests flight/flights trip/trips car/cars truck/trucks bike/bikes
driver/drivers device/devices sensor/sensors log/logs session/sessions token/tokens key/keys setting/settings
day/days toy/toys play/plays survey/surveys journey/journeys monkey/monkeys boy/boys holiday/holidays essay/essays
url/urls pdf/pdfs roof/roofs chef/chefs brief/briefs proof/proofs safe/safes belief/beliefs staffer/staffers

category/categories city/cities country/countries company/companies story/stories party/parties baby/babies
family/families activity/activities property/properties query/queries entry/entries diary/diaries
library/libraries gallery/galleries history/histories delivery/deliveries inventory/inventories
currency/currencies salary/salaries body/bodies enemy/enemies sky/skies fly/flies spy/spies try/tries copy/copies
reply/replies penny/pennies hobby/hobbies policy/policies soliloquy/soliloquies
tie/ties pie/pies lie/lies movie/movies cookie/cookies zombie/zombies selfie/selfies calorie/calories rookie/rookies

box/boxes tax/taxes fox/foxes fax/faxes suffix/suffixes mailbox/mailboxes dish/dishes wish/wishes brush/brushes
match/matches watch/watches batch/batches branch/branches church/churches coach/coaches lunch/lunches
search/searches sandwich/sandwiches address/addresses class/classes boss/bosses process/processes
business/businesses princess/princesses mattress/mattresses
cache/caches niche/niches headache/headaches stomach/stomachs epoch/epochs axe/axes waltz/waltzes buzz/buzzes
quiz/quizzes prize/prizes maze/mazes

status/statuses bus/buses virus/viruses bonus/bonuses campus/campuses census/censuses walrus/walruses
apparatus/apparatuses use/uses excuse/excuses cause/causes clause/clauses pause/pauses house/houses spouse/spouses
blouse/blouses course/courses horse/horses nurse/nurses universe/universes purse/purses expense/expenses
license/licenses response/responses sense/senses defense/defenses case/cases database/databases base/bases
phase/phases phrase/phrases lease/leases release/releases purchase/purchases vase/vases showcase/showcases
rose/roses nose/noses dose/doses purpose/purposes exercise/exercises promise/promises franchise/franchises
noise/noises cruise/cruises enterprise/enterprises premise/premises cheese/cheeses diocese/dioceses pulse/pulses
lens/lenses alias/aliases gas/gases atlas/atlases canvas/canvases bias/biases iris/irises

analysis/analyses diagnosis/diagnoses prognosis/prognoses thesis/theses hypothesis/hypotheses
parenthesis/parentheses synopsis/synopses psychosis/psychoses oasis/oases crisis/crises emphasis/emphases
menu/menus guru/gurus emu/emus taxi/taxis ski/skis wiki/wikis emoji/emojis api/apis kpi/kpis gpu/gpus sku/skus
plateau/plateaus index/indices vertex/vertices matrix/matrices appendix/appendices

hero/heroes superhero/superheroes potato/potatoes tomato/tomatoes echo/echoes volcano/volcanoes mosquito/mosquitoes
logo/logos memo/memos demo/demos piano/pianos radio/radios studio/studios portfolio/portfolios zoo/zoos
tattoo/tattoos avocado/avocados casino/casinos euro/euros repo/repos promo/promos shoe/shoes toe/toes canoe/canoes

leaf/leaves loaf/loaves meatloaf/meatloaves thief/thieves knife/knives penknife/penknives wife/wives housewife/housewives
life/lives half/halves calf/calves self/selves shelf/shelves bookshelf/bookshelves wolf/wolves werewolf/werewolves
elf/elves hoof/hooves scarf/scarves move/moves wave/waves curve/curves drive/drives archive/archives olive/olives
glove/gloves sleeve/sleeves native/natives alternative/alternatives slave/slaves cave/caves hive/hives valve/valves

person/people salesperson/salespeople child/children grandchild/grandchildren man/men woman/women
fireman/firemen policeman/policemen human/humans german/germans shaman/shamans specimen/specimens omen/omens
foot/feet tooth/teeth goose/geese mongoose/mongooses mouse/mice dormouse/dormice louse/lice ox/oxen die/dice
datum/data criterion/criteria phenomenon/phenomena bacterium/bacteria curriculum/curricula
cactus/cacti fungus/fungi nucleus/nuclei alumnus/alumni radius/radii

news series species sheep fish deer moose salmon shrimp aircraft information equipment metadata media music software
hardware furniture advice homework analytics statistics scissors jeans clothes glasses staff traffic rice sms

blogPost/blogPosts userCategory/userCategories blog_post/blog_posts line-item/line-items homeAddress/homeAddresses
salesPerson/salesPeople breakingNews Post/Posts Category/Categories Person/People POST/POSTS CATEGORY/CATEGORIES
CHILD/CHILDREN URL/URLS imageURL/imageURLS BlogEntry/BlogEntries newWoman/newWomen`
