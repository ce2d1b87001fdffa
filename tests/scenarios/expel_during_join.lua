-- Mallory is expelled at some moment of his own join: before his 200, between 200 and offer, while the offer is under way,
-- or just after. Whatever he got hold of, nothing that follows can be opened with it.                     POC-17, POC-20
--
--   mallory -> PF   INVITE ... 200 ... UPDATE with the MSK
--   CF -> PF        BYE mallory, somewhere in between

scenario "An expulsion crosses a join"

channel("dispatch", { gate = "hold" })
local alice, bob = client("alice"), client("bob")
local mallory = client("mallory", { keeps_keys = true })

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "alice and bob keyed")
alice:talk()
wait_for(bob:is("by multicast"), 7000, "bob hearing by multicast")

mallory:bootstrap()
mallory:join("dispatch")
wait_for(mallory:is("in"), 20000, "mallory in")
wait(chance(0, 40))
cf:expel(mallory)
wait_for(mallory:is("out"), 30000, "mallory out")
wait(2500)
local settled = now()
expect.that(not (mallory:is("keyed")()), "mallory does not hold the key on air")
wait(3000)

expect.exposure(mallory, { max_ms = 200 })
expect.gap(bob)
expect.that(bob:is("by multicast"), "bob hears by multicast")
