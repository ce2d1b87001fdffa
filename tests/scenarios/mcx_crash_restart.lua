-- kill -9 at the PF in the middle of an expulsion. What it knew of CSKs and members is on its disk: when it is back it continues under a
-- MuSiK that bob never had, downloaded to alice and carol under the CSKs that they brought before, and nothing goes on air before they
-- have it. Dave, whose CSK came while it was down, brings it again. Nothing is sent under the key from before the crash.
--                                                                                     MCX-1, MCX-7, MCX-21, MCX-22, MCX-31
--
--   operator -> PF   expel bob; PERSIST, DOWNLOAD ... crash
--   PF               restart: CSKs and members are restored; a fresh MuSiK, given to those who stay

scenario "The PF crashes while it locks bob out of a MuSiK"

pf:configure { trusts_core = true } -- what GBA forgets in a crash is another story
musik("north", { gate = "hold" })
local alice, carol, dave = client("alice", { mcx = true }), client("carol", { mcx = true }), client("dave", { mcx = true })
local bob = client("bob", { mcx = true, keeps_keys = true })

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
end
for _, radio in ipairs { alice, bob, carol } do
    radio:upload("register")
end
wait_for(all(alice:is("keyed", "north"), bob:is("keyed", "north"), carol:is("keyed", "north")), 90000, "three keyed")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north")), 90000, "alice and bob listening")
wait(chance(500, 3000))
for _ = 1, 10 do
    source:floor("north")
    wait(50)
end

pf:expel("north", bob)
wait(chance(20, 400)) -- what the operator ordered is on the disk
pf:crash()
dave:upload("register")
wait(chance(200, 2000))
pf:restart()
wait_for(dave:is("authorised"), 120000, "dave accepted")
wait_for(all(alice:is("keyed", "north"), carol:is("keyed", "north"), dave:is("keyed", "north")), 120000, "who stays keyed again")
wait(3000)
bob:upload("publish")
wait_for(function() return bob:count("csks") == 2 end, 90000, "bob's second CSK")
wait(2000)
local understood = alice:count("floor")
for _ = 1, 20 do
    source:floor("north")
    wait(50)
end
wait(500)
expect.holders("north", alice, carol, dave)
expect.that(alice:count("floor") == understood + 20, "alice understands floor control again")
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
