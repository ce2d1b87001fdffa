-- Clients bring their CSKs: by REGISTER, by PUBLISH, by the third-party REGISTER of a core, one with hidden identities. Whoever the
-- service authorisation knows is downloaded the MuSiK, and nobody else: not mallory, who shows alice's access token, nor the
-- stranger, whom nobody knows. Before the KMS has given it keys, a client has nothing to bring. Who says goodbye is given no more.
--                                                             MCX-5, MCX-11, MCX-17, MCX-19, MCX-20, MCX-21, MCX-24
--
--   client -> KMS   certificate, own keys of this period                                                       MCX-20
--   client -> PF    REGISTER / PUBLISH: I_MESSAGE with the CSK to the PF's identity, access token          MCX-17, MCX-19
--   PF -> client    200 OK, when IMPU, service id and CSK are bound and stored                                  MCX-21
--   PF -> client    MESSAGE: I_MESSAGE with the MuSiK to the user's service id                           MCX-22, MCX-26

scenario "Clients bring their CSKs"

pf:configure { trusts_core = true } -- the core vouches for who sends what, and sends a REGISTER of its own
musik("north")
local alice = client("alice", { mcx = true })
local bob = client("bob", { mcx = true })
local carol = client("carol", { mcx = true, hides_identity = true })
local dave = client("dave", { mcx = true, algorithms = { "aes-128-gcm" } })
local mallory = client("mallory", { mcx = true, token_of = "alice" })
local stranger = client("stranger", { mcx = true, token_of = "nobody" })
local radios = { alice, bob, carol, dave, mallory, stranger }

expect.that(not pcall(alice.upload, alice), "alice has nothing to bring before she is provisioned")
for _, radio in ipairs(radios) do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
end
wait(chance(0, 1000))
alice:upload("register")
bob:upload("publish")
carol:upload("third-party")
dave:upload("publish")
mallory:upload("publish")
stranger:upload("publish")
wait_for(all(alice:is("authorised"), bob:is("authorised"), carol:is("authorised"), dave:is("authorised")), 90000,
    "four accepted")
wait_for(all(mallory:is("denied"), stranger:is("denied")), 90000, "two refused")
expect.denied(mallory, 403)
expect.denied(stranger, 403)
wait_for(all(alice:is("keyed", "north"), bob:is("keyed", "north"), carol:is("keyed", "north"), dave:is("keyed", "north")),
    90000, "the MuSiK with all four")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north"), carol:is("listening", "north"),
    dave:is("listening", "north")), 90000, "all four listening")
wait(1000)
expect.holders("north", alice, bob, carol, dave)
expect.that(mallory:count("keys") == 0 and stranger:count("keys") == 0, "nobody else was given any MuSiK")
expect.that(mallory:count("csks") == 0 and stranger:count("csks") == 0, "nor has a CSK that is in force")

-- The same user brings another one: the first stays good for what is under way, and there is no new MuSiK.            MCX-5
local again = now()
bob:upload("publish")
wait_for(function() return bob:count("csks") == 2 end, 90000, "bob's second CSK")
wait(3000)
for _ = 1, 10 do
    source:floor("north")
    wait(50)
end
wait(500)
expect.no_rekey("north", again)
expect.holders("north", alice, bob, carol, dave)
for _, radio in ipairs { alice, bob, carol, dave } do
    expect.that(radio:count("floor") == 10, radio:name() .. " has understood every floor message")
    expect.gap(radio)
end

-- Dave says goodbye: his CSK is forgotten on both sides, and the next MuSiK is not for him.
dave:log_off()
wait(10000)
pf:rekey("north")
wait_for(function() return alice:count("keys") == 2 and bob:count("keys") == 2 and carol:count("keys") == 2 end, 60000,
    "the next MuSiK with those who stay")
wait(10000)
for _ = 1, 10 do
    source:floor("north")
    wait(50)
end
wait(500)
expect.holders("north", alice, bob, carol)
expect.that(alice:count("floor") == 20, "alice understands what is under the next one")
expect.that(dave:count("floor") == 10, "dave does not")
