/* Access tokens made with OpenSSL and Python from keys that are not kept: the tokens of an identity management server. */
#ifndef TESTS_IO_MCX_TOKENS_H
#define TESTS_IO_MCX_TOKENS_H

#define TOKEN_RS256                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIiwibWN2aWR" \
    "lb19pZCI6InNpcDphbGljZS12aWRlb0BtYy5leGFtcGxlIn0.tCLtXKVdDsRVohiWiCoe-1WUp6cRNCBEbuO-kmc_bjqs7PxftNK" \
    "rWl0An7o35Z1C3Cf9KKIuH4Ak8CalyVynQGavW7jHO0Bc1AMMCP8R40PNPlHIYfLtQx4qNfGunr39GBe8WTyqs2IhNgVOBuWDnEg" \
    "I7mD1XAQJLhVN84JXVDRzcqJmLTsQA-q2HGN2ASsQVuRP56YQ3Sj3TM1bI5SXRq4BRWedSLmoSHfQpS-Ie5HsXXwxhp3SrmDOH3a" \
    "1kQej5F2NUUmACdCdHgS7LhX4cPrKIRPhWwcAlD7sLMngyh3CEGkJiXMLhJYVN5hec8XevDnBQOjUgaCHkc1-4Jz5nA"
#define TOKEN_ES256                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIiwibWN2aWR" \
    "lb19pZCI6InNpcDphbGljZS12aWRlb0BtYy5leGFtcGxlIn0.6V6pp5iINHU7-m1FTl5URj5yQnLEsbZCnf2YaQQbTdKXCfeySnp" \
    "paCrq8SJf-LLU9QZ6x5V5cujLYxKYSEvAEQ"
#define TOKEN_AUD_TEXT                                                                                     \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjoibWN4LmV4YW1wbGU" \
    "iLCJleHAiOjQxMDI0NDQ4MDAsIm1jcHR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1wbGUiLCJtY3ZpZGVvX2lkIjoic2lwOmFsaWN" \
    "lLXZpZGVvQG1jLmV4YW1wbGUifQ.y7raCpUOmQDc8KqAODYmCqUYANE5_mJA6we4vlz7az8hL1Vo57IpAMkbRc_vn4fRJZ9GQajU" \
    "tviRCP7ggB2k6g"
#define TOKEN_OVER                                                                                         \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjoxMDAwLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIiwibWN2aWRlb19pZCI" \
    "6InNpcDphbGljZS12aWRlb0BtYy5leGFtcGxlIn0.7z9SDwlwYa24sz4j6cGhmxyxtOJOdSOuxLzbnwEQmpHe6kFKrAcNj0SJVr6" \
    "ByipnnK8rj9c3g83RVLFthvB5IQ"
#define TOKEN_EARLY                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIiwibWN2aWR" \
    "lb19pZCI6InNpcDphbGljZS12aWRlb0BtYy5leGFtcGxlIiwibmJmIjo0MTAyNDQ0NzkwfQ.rzHbE82v_Z6pPxPzx_GeukmIKOmL" \
    "521r1f4vjxii_ODdIL-D-O4Rip5dlBJTb-bD2u1fhQGD1zEUnXKF6-exjw"
#define TOKEN_NO_EXP                                                                                       \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwibWNwdHRfaWQiOiJzaXA6YWxpY2VAbWMuZXhhbXBsZSIsIm1jdmlkZW9faWQiOiJzaXA6YWxpY2U" \
    "tdmlkZW9AbWMuZXhhbXBsZSJ9.dzSpeNnBGpwaGmHPZFnjAgVDhfeJ74nej51Df8CbEN0TjyE9hba7v1e2AlbEHjPbujX1tUmIQ5" \
    "5qlhKL4EI1fg"
#define TOKEN_OTHER_ISS                                                                                    \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSIsImF1ZCI6WyJrbXMuZXhhbXB" \
    "sZSIsIm1jeC5leGFtcGxlIl0sImV4cCI6NDEwMjQ0NDgwMCwibWNwdHRfaWQiOiJzaXA6YWxpY2VAbWMuZXhhbXBsZSIsIm1jdml" \
    "kZW9faWQiOiJzaXA6YWxpY2UtdmlkZW9AbWMuZXhhbXBsZSJ9.Tz7Nf5k0KgKi4EYafUdYmUlfXgbJBAUHfhWCUuHUI4HTAv1XTE" \
    "AVK491A8-A9OtXoHq9T43ZKzoSdSmNEg-yKw"
#define TOKEN_OTHER_AUD                                                                                    \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIl0sImV4cCI6NDEwMjQ0NDgwMCwibWNwdHRfaWQiOiJzaXA6YWxpY2VAbWMuZXhhbXBsZSIsIm1jdmlkZW9faWQiOiJzaXA6YWx" \
    "pY2UtdmlkZW9AbWMuZXhhbXBsZSJ9.IrPIX0z-w8ScjvCgPVR2BOpbZsgHVn-OOLZaThSrUvoQNxh_Dl9--OLUcevz2kwTUXpAmO" \
    "iJEMxUq9RShlTLgg"
#define TOKEN_NO_ID                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwfQ.dlKzQGKleuOTYTbul1cw3WYgzUU7oY5DlsuDng-Q6sk8lJ_G-I_Y" \
    "PKWBCvS5aFf4ZY8nWt6l5ahuWu5zsu3h3Q"
#define TOKEN_MALLORY                                                                                      \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwLCJtY3B0dF9pZCI6InNpcDptYWxsb3J5QG1jLmV4YW1wbGUiLCJtY3Z" \
    "pZGVvX2lkIjoic2lwOmFsaWNlLXZpZGVvQG1jLmV4YW1wbGUifQ.k6xrrGXDCQeS2qQTI1YTbloa4fSoSP5QgZEZTxq27-_IuHW3" \
    "XFG7z5ErMTu-gI8FWSeR_FnHIpvSNYLi_MLYSQ"
#define TOKEN_HS256                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGx" \
    "lIiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIiwibWN2aWR" \
    "lb19pZCI6InNpcDphbGljZS12aWRlb0BtYy5leGFtcGxlIn0.fxLUMfKolKxCrWkEC62PgMnzZCsbYO4LukUDnstz3zU"
#define TOKEN_NONE                                                                                         \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkbS5leGFtcGxlIiwiYXVkIjpbImttcy5leGFtcGxl" \
    "IiwibWN4LmV4YW1wbGUiXSwiZXhwIjo0MTAyNDQ0ODAwLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIiwibWN2aWRl" \
    "b19pZCI6InNpcDphbGljZS12aWRlb0BtYy5leGFtcGxlIn0."
#define RSA_KEY                                                          \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwTg4ai/9sEl/7xUmgTCr\n" \
    "+jsr0rasJ6yGbqE4I8d1Sx7l4gRkjjW/CtojPtIVRMgZRviAnm0Ys6dpx7448eBR\n" \
    "2j94L7E0JPb9QnV24gpi1uxgDxA9Dxuc7zXCorlzAYEs3JuFfpwWY/Rh4b4btYSK\n" \
    "tLOcCjMwPs2cF3jZ8j3vwoTxB4xhGlAy6u7idZWDFLF+6vujlRSrji+ZC/kH2ZPS\n" \
    "qdLJ8ny1WOD7SkKSdVMHezfgC/ROi/YeTbOuvS3lx4g07QtFBoCFXEJhXKfMpJal\n" \
    "0HcNYyY2qRmjIwJgCUKG/XrJHuA4BtrLCNZmmzzBpz9vINXcV13OWU5Kj2a6ZZ3L\n" \
    "/QIDAQAB\n"                                                         \
    "-----END PUBLIC KEY-----\n"
#define P256_KEY                                                         \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEK/nKqX0vDy1dwDM+5MvZQHsgzqZ8\n" \
    "bmdromhFgfR+pNNFGqDb030iMB+vUt1/VVeoRvMB/MspNZahnqFnvDL+MA==\n"     \
    "-----END PUBLIC KEY-----\n"
/* Under another key of P-256. */
#define TOKEN_FRESH                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsIm1jcHR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1" \
    "wbGUifQ.VM-zr7mdGqG3RkXj_zp07GdzN24ktjx8sEHivzVWGXuGbLUclY-fMoBuLOv8No2Mi96nZikYjbnKZjIONyl6YQ"
#define TOKEN_TWICE_ID                                                                                     \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsIm1jcHR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1" \
    "wbGUiLCJtY3B0dF9pZCI6InNpcDptYWxsb3J5QG1jLmV4YW1wbGUifQ.4HmZ96RYsSoeuC4ffKkIwqNCRp-mp6v9QI6TQNv9_YoB" \
    "cGhvXfMOVUwjH8xk_A3tFSGbVetXpr9cZm2kT1t2jA"
#define TOKEN_TWICE_EXP                                                                                    \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjEwMDAsIm1jcHR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1wbGUiLCJ" \
    "leHAiOjQxMDI0NDQ4MDB9.zc21owgzvNhG0yInPdNSITP8tRMYqpc8nCZJrNZ1ZnS1SC3LBRQ-CI3yVk3teHYgqojH2jlMrWRsXa" \
    "EKJmotgg"
#define TOKEN_CRIT                                                                                         \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiIsImNyaXQiOlsiY25mIl0sImNuZiI6IngifQ.eyJleHAiOjQxMDI0NDQ4MDAsIm1jc" \
    "HR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1wbGUifQ.C8qmlhbKVkbaBGfvwaaD_3rljizZxACgInWVk8cqQ45m9IDQEITSoUYwyt" \
    "2uiQxLEz7DFQF0d2bCjx5F3_IfNg"
#define TOKEN_TWICE_ALG                                                                                    \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIiwiYWxnIjoiRVMyNTYifQ.eyJleHAiOjQxMDI0NDQ4MDAsIm1jcHR0X2lkIjoic2lwO" \
    "mFsaWNlQG1jLmV4YW1wbGUifQ.-V3AuMmGPoXJq3negxZyZMqDFVQd8z_22bHMGoHr_oisCUAoaIxz0JHExvkiI12xgpXUkzg2n4" \
    "FH3Y7ZDGABmA"
#define TOKEN_BEHIND                                                                                       \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsIm1jcHR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1" \
    "wbGUifQB7ImV4cCI6MTAwMH0.2mjaJC-JtM6Svn13h-mod83VIfQHq6JxT-u11S4PG5dOL3EagAJ8JkRbo_hWQX2Hewm_A21vs76" \
    "iwtSrEkQsHw"
#define TOKEN_ID_SPACE                                                                                     \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsIm1jcHR0X2lkIjoic2lwOmFsaWNlQG1jLmV4YW1" \
    "wbGVcblg6IHkifQ.npP2Ey_zqFccPNb_7uyf0rPnoWmnTw7qWtrcRBHcLV2GqMz4KURuIuGfK7QcPUtIUYNPMNiiL3EWV9PJjO-J" \
    "pg"
#define TOKEN_SCOPE                                                                                        \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjpbIm9wZW5pZCIsIjNncHA6bWM6cHR" \
    "0X3NlcnZpY2UiXSwibWNwdHRfaWQiOiJzaXA6YWxpY2VAbWMuZXhhbXBsZSJ9.AIf6JatgAy0InUXJK1epQbLZJcdItjOqjgc9_E" \
    "cqTlMoA3vYHM3u6aG-Y049mmrdHYlr7dqFied_epcmk41CpQ"
#define TOKEN_SCOPE_TEXT                                                                                   \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3BlbmlkIDNncHA6bWM6cHR0X3N" \
    "lcnZpY2UiLCJtY3B0dF9pZCI6InNpcDphbGljZUBtYy5leGFtcGxlIn0.V2z1uC1UDxu1StP8rehdvYSD_R29MA8JlC6gWwmjtxl" \
    "IwZkIK3cGTYmbEL79lGvVGFQ7rzr5YdjvdgovnAqm6w"
#define FRESH_KEY                                                        \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdRArP44LjSpbB4P1kYkrT72ojqVQ\n" \
    "Uzzn5PRlFRZl9TZ9wv5xYBDBTSqlXGpGynLzL5Gws4e/CyCH56ppcoPKww==\n"     \
    "-----END PUBLIC KEY-----\n"

#endif
