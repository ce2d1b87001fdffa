-- Alice drives from the north into the south: she reports that she hears the other bearer, and is given its MuSiK; in the north she is
-- no more, and the MuSiK there changes, as the policy of that region says. Bob stays in the north and carol in the south; neither
-- misses anything. Dave never said where he is.                                                    MCX-7, MCX-8, MCX-9, MCX-13, MCX-22
--
--   PF -> alice   MESSAGE: the bearers of both regions, no key among them                                              MCX-4
--   alice -> PF   MESSAGE: hears the bearer of the south
--   PF -> alice   MESSAGE: MuSiK of the south                                                                         MCX-22
--   alice -> PF   MESSAGE: hears the bearer of the north no more
--   PF -> bob     MESSAGE: another MuSiK of the north

scenario "Alice drives into another region"

musik("north", { region = true, on_leave = "always", deadline_ms = 10000 })
musik("south", { region = true, on_leave = "never" })
local alice = client("alice", { mcx = true, keeps_keys = true })
local bob, carol, dave = client("bob", { mcx = true }), client("carol", { mcx = true }), client("dave", { mcx = true })

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
    radio:upload("register")
end
wait_for(all(alice:is("authorised"), bob:is("authorised"), carol:is("authorised"), dave:is("authorised")), 90000, "four accepted")
wait(1000)
expect.that(alice:count("keys") == 0 and dave:count("keys") == 0, "nobody has a MuSiK before he says where he is")
alice:listens("north", true)
bob:listens("north", true)
carol:listens("south", true)
wait_for(function() return alice:count("keys") == 1 and bob:count("keys") == 1 and carol:count("keys") == 1 end, 90000,
    "the MuSiKs where they belong")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north"), carol:is("listening", "south")), 90000,
    "three listening")
wait(5000)

local sent = 0
local function floor_control(ms)
    local stop = now() + ms
    while now() < stop do
        source:floor("north")
        source:floor("south")
        sent = sent + 1
        wait(50)
    end
end
floor_control(1000)
expect.holders("north", alice, bob)
expect.holders("south", carol)
alice:listens("south", true)
floor_control(chance(0, 1000))
wait_for(alice:is("keyed", "south"), 60000, "alice with the MuSiK of the south")
alice:listens("north", false)
local left = now()
wait_for(function() return bob:count("keys") == 2 end, 60000, "bob with another MuSiK of the north")
floor_control(12000)
wait(500)
expect.holders("north", bob)
expect.holders("south", alice, carol)
expect.rekeys("north", 1)
expect.no_rekey("south", 0)
expect.that(bob:count("floor") == sent, "bob has understood the north all the time")
expect.that(carol:count("floor") == sent, "carol has understood the south all the time")
expect.that(dave:count("keys") == 0, "dave was given nothing")
for _, radio in ipairs { alice, bob, carol } do
    expect.gap(radio)
end
