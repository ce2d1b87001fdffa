-- The operator expels bob, who goes on listening with every key he ever had. Floor control is held until alice and carol have the next
-- MuSiK; nothing that comes after the expulsion is bob's to open, and they miss nothing. Then the former MuSiK is taken back from
-- them: a download says that it is revoked. Bob comes again with another CSK, which is his right, and is given no MuSiK, until the
-- operator lets him in.                                                           MCX-1, MCX-7, MCX-13, MCX-22, MCX-26; POC-10
--
--   operator -> PF     expel bob
--   PF -> alice,carol  MESSAGE: MuSiK 2                                                                               MCX-22
--   PF -> air          everything under MuSiK 2                                                                        MCX-7
--   PF -> alice,carol  MESSAGE: MuSiK 1 is revoked                                                                    MCX-22

scenario "Bob is expelled, and the MuSiK that he had is taken back"

musik("north", { gate = "hold", deadline_ms = 20000 })
local alice, carol = client("alice", { mcx = true }), client("carol", { mcx = true })
local bob = client("bob", { mcx = true, keeps_keys = true })

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
    radio:upload("publish")
end
wait_for(all(alice:is("keyed", "north"), bob:is("keyed", "north"), carol:is("keyed", "north")), 90000, "three keyed")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north"), carol:is("listening", "north")), 90000,
    "three listening")
wait(chance(500, 5000))

local sent = 0
local function floor_control(ms)
    local stop = now() + ms
    while now() < stop do
        source:floor("north")
        sent = sent + 1
        wait(40)
    end
end
floor_control(1000)
expect.holders("north", alice, bob, carol)
pf:expel("north", bob)
floor_control(2000)
wait_for(all(alice:is("keyed", "north"), carol:is("keyed", "north")), 60000, "who stays keyed again")
wait_for(function() return alice:count("revocations") == 1 and carol:count("revocations") == 1 end, 90000,
    "the former MuSiK taken back")
floor_control(2000)
wait_for(bob:is("authorised"), 5000, "bob as before")
bob:upload("publish")
wait_for(function() return bob:count("csks") == 2 end, 90000, "bob's second CSK")
floor_control(2000)
wait(500)
expect.holders("north", alice, carol)
expect.rekeys("north", 1)
expect.that(bob:count("keys") == 1, "bob was given no other MuSiK")
expect.that(alice:count("floor") == sent and carol:count("floor") == sent, "who stays has understood every floor message")
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.gap(alice)
expect.gap(carol)
