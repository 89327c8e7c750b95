package peers_test

// reasons says why shelf answers otherwise than the real servers. Each difference
// in testdata/requests names one of these. TestPeers fails for a reason that no
// request needs and for a difference that is gone.
var reasons = map[string]string{
	"null matches null and absent":          "field=null finds rows without a value; there nothing finds them",
	"arrays match by their JSON text":       "a filter on an array or an object compares with its JSON text",
	"an unknown field matches nothing":      "a misspelt filter must not answer with all rows; -lenient does",
	"_ne keeps rows without the field":      "a row without the field has another value",
	"_gt and _lt compare":                   "there they are unknown fields, and ignored",
	"a bad regular expression is a 400":     "there it is a 500 with a stack",
	"an unknown _sort is a 400":             "a misspelt order must not pass unseen",
	"a repeated _sort is a 400":             "there it is a 500 with a stack",
	"a _page or _limit below 1 is a 400":    "a page that does not exist is an error of the caller",
	"an unknown _parameter is a 400":        "a misspelt parameter must not pass unseen",
	"a taken id is a 409":                   "there it is a 500 with a stack",
	"a row is an object":                    "there an array becomes a row that no address reaches",
	"errors are JSON":                       "all errors but those about accounts are {\"error\":…}; there a page with a stack",
	"another type is a 415":                 "there the body is ignored, and an empty row is made",
	"numbers are exact":                     "there numbers are doubles",
	"a PUT or POST without a body is a 400": "there the row is emptied",
	"a nested POST keeps the parent's type": "there the key is a text, which _embed does not find",
	"a made id is the last member":          "there an id of 0, null or \"\" gets its number in its place",
	"Location is an address of the row":     "there it is an address that answers 404",
	"a nested POST wants the parent":        "there a row without its parent is made",
}
