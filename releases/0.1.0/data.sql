--
-- PostgreSQL database dump
--

\restrict pVNprx085TiklTlzHFblw5CUogik7yGci9fv5DFosusI2eCc6s26tUpUfydZUh7

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: pg_cordon; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pg_cordon WITH SCHEMA public;


--
-- Name: EXTENSION pg_cordon; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION pg_cordon IS 'tenant isolation that fails closed, and columns sealed for their tenant';


--
-- Name: secret; Type: DOMAIN; Schema: public; Owner: postgres
--

CREATE DOMAIN public.secret AS public.encrypted_text NOT NULL;


ALTER DOMAIN public.secret OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: account; Type: TABLE; Schema: public; Owner: app
--

CREATE TABLE public.account (
    team_id bigint DEFAULT cordon.tenant_int8() NOT NULL,
    id integer NOT NULL,
    email public.encrypted_text_eq,
    token public.encrypted_text,
    note public.shared_encrypted_text,
    country public.shared_encrypted_text_eq DEFAULT 'cordon1:AQMwBgLKKvThk0flrUqBUZnYCMMl-uBCo2EeHWF9NjGZnN6oXNKU96I8tCYl7i-ToT99d95707fTgNyNbUw5jaKgZiJt97n7X6A'::public.shared_encrypted_text_eq,
    tags public.encrypted_text[]
);

ALTER TABLE ONLY public.account FORCE ROW LEVEL SECURITY;


ALTER TABLE public.account OWNER TO app;

--
-- Name: api_key; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.api_key (
    hash public.token_hash NOT NULL,
    name text
);


ALTER TABLE public.api_key OWNER TO postgres;

--
-- Name: document; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.document (
    org_id uuid DEFAULT cordon.tenant_uuid() NOT NULL,
    id integer NOT NULL,
    body public.encrypted_text
)
PARTITION BY HASH (org_id);

ALTER TABLE ONLY public.document FORCE ROW LEVEL SECURITY;


ALTER TABLE public.document OWNER TO postgres;

--
-- Name: document_0; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.document_0 (
    org_id uuid DEFAULT cordon.tenant_uuid() NOT NULL,
    id integer NOT NULL,
    body public.encrypted_text
);

ALTER TABLE ONLY public.document_0 FORCE ROW LEVEL SECURITY;


ALTER TABLE public.document_0 OWNER TO postgres;

--
-- Name: integration; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.integration (
    team_id bigint DEFAULT cordon.tenant_int8() NOT NULL,
    id integer NOT NULL,
    secret text,
    secret_sealed public.encrypted_text
);

ALTER TABLE ONLY public.integration FORCE ROW LEVEL SECURITY;


ALTER TABLE public.integration OWNER TO postgres;

--
-- Name: issued; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.issued (
    token public.encrypted_text
);


ALTER TABLE public.issued OWNER TO postgres;

--
-- Name: own; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.own (
    team_id integer NOT NULL,
    id integer NOT NULL,
    value public.secret,
    shared public.shared_encrypted_text DEFAULT 'cordon1:AQEwBgLKKvThkwpTkhy0kClBrKW55WKLLZAvAIxMS_gO7zb-W7q9ADWjwxnvhOn5IeQRN56lwWvG7kTJ'::public.shared_encrypted_text
);


ALTER TABLE public.own OWNER TO postgres;

--
-- Name: own_view; Type: VIEW; Schema: public; Owner: postgres
--

CREATE VIEW public.own_view WITH (security_invoker='true') AS
 SELECT own.id,
    (own.value)::text AS plain
   FROM public.own;


ALTER TABLE public.own_view OWNER TO postgres;

--
-- Name: document_0; Type: TABLE ATTACH; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.document ATTACH PARTITION public.document_0 FOR VALUES WITH (modulus 1, remainder 0);


--
-- Data for Name: protected_table; Type: TABLE DATA; Schema: cordon; Owner: postgres
--

COPY cordon.protected_table (relation, tenant_column) FROM stdin;
public.account	team_id
public.document	org_id
public.document_0	org_id
public.integration	team_id
\.


--
-- Data for Name: token; Type: TABLE DATA; Schema: cordon; Owner: postgres
--

COPY cordon.token (hash, family, purpose, subject, tenant, issued_at, expires_at, ttl, family_expires_at, used_at, revoked_at, superseded_at, successor) FROM stdin;
cordon_th1:AQGH5PADQCV26l9IjgmT4usvvb2uigrdCDeR6lBBm5N9lmOtG9w	cordon_th1:AQGH5PADQCV26l9IjgmT4usvvb2uigrdCDeR6lBBm5N9lmOtG9w	api	user 42		2026-11-21 07:57:08.01542+00	infinity	\N	infinity	\N	\N	\N	\N
\.


--
-- Data for Name: account; Type: TABLE DATA; Schema: public; Owner: app
--

COPY public.account (team_id, id, email, token, note, country, tags) FROM stdin;
7	1	cordon1:AQIwBgLKbr8MD0flrUrMr-kYXe1B39-atiPhTWkJdYYLEEbfDxNjJAPOWJUqRPc3qlFPtVbHEtEKwcSIGH74z8Nfyi8GyCelblf2	cordon1:AQAwBgLKbr8MD_EXWICkVruIprfg_Fxxc_TiVwxN2tOXB31vMm0V0FCC3-tm7vruGh38LldyHY2paR35emg	cordon1:AQEwBgLKKvThk92LAYl3H0AS-aIaV1D7eGNZQHJ5zxbFF_RQG_364H0Oo46PnIiBustrTjzd0CE	\N	{cordon1:AQAwBgLKbr8MD8Im3Z7bUliHa1w7Dto3pyoIRWSK2g6Mf3BMinJQ6vfNCyhAsvmuthFI4WY,NULL}
7	2	cordon1:AQIwBgLKbr8MD0flrUrCng3HRrEfffxPVUT0q4UcZwb5TcKX1EefVZCsk6DHrWrCBYgpcr7lCVe9MS55iwrbZovBFYOOFb8jn0_G	cordon1:AQAwBgLKbr8MDzWsgudI3FfA70rLROY0iLtLbRdEdDNuC6c5d6ONg0MG_NSktd-d0Of8kKhibM0Y5jiFhj0	cordon1:AQEwBgLKKvThk9CYV4uhuXXEPKcH8EG-7030B_I-cE-utBi60e3qG1RxYf_5RVw94HsE5OCfhnI	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38RHZvuqTP0wjhZltfdw0WJjL0SunKH1ABb-n7z-E17-E6Wbta0LFXUqrT	{cordon1:AQAwBgLKbr8MD2yYTiv-VbkFnw_n_CmmGINHdhdH8bfoHlA8rQwmH-f_eMg3HaccKoaYzu4,NULL}
7	3	cordon1:AQIwBgLKbr8MD0flrUo1V5Kfz857HTtf-CkOZslMRNnmOqIZbx-iR2Nw2OFGPSizwu-edMXaViIIIL-uBzEMcYAk5JkxIJDc-gkw	cordon1:AQAwBgLKbr8MD4RD8SDzYMN29M4oj1HxCUlMeK1rsNNoG-8gzTS4LKGRYQmPL0_QIihF7frwLsARcm3M8YE	cordon1:AQEwBgLKKvThkyQqAY4-sogCGrD1HbSKviT6FwYjv9IQjls2vlaD_A8EWHpYdwVskNfyMksRmDk	\N	{cordon1:AQAwBgLKbr8MD2jUh6V_NSMaznMK2jsyBUE84jevQPxYeqjpNJWD8HvISwKKdcVoPvui7o0,NULL}
7	4	cordon1:AQIwBgLKbr8MD0flrUqQ71UYPlnZAhhdY1glLcoP2nJs2scfdHBLQxOzzVp06g4D0ZhdkxStmxrNXW2Mc5BcVxzEn9TmZOmXkIgV	cordon1:AQAwBgLKbr8MDyaYUJtMEooMxOQ50v_Xi333SvBl8WfCZf441zxDkVpH3lp1N4U7o45pCOFC4wJBuh_aIvE	cordon1:AQEwBgLKKvThk9WFFm9RynyatsFyK6wrZ4OvMgFFH3iWD8ZcQJpEEB9RB4zEuBNJF9RB7cx4w6w	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38veY82JZIAes8kWQ5UrQNSHEJXkE9F0z29EMHojQ9vDBzm6rUMdOI4CLo	{cordon1:AQAwBgLKbr8MDzUpoqYNB8_WUDOkIMboA5WJNIcUm_5wOJy0869pBVjcmsNUSS-rgwI4FaI,NULL}
7	5	cordon1:AQIwBgLKbr8MD0flrUqeWFzqJXd8o-dqm5hAyIV7KHMuZBI4jmzonwMt1QAhbj17Yfd2VpOPQ7HLMlhJV0K2VxO40YvMrEfU505U	cordon1:AQAwBgLKbr8MD42_lsdiCHVQdxba3tHHL2yc9gTUwVmQ6cMEg8YsfNrP7jYyR25EXjOPSBEp70HT4YtpHmU	cordon1:AQEwBgLKKvThk03ZJzOU5A9MoapdbfER0ytdv4AcMLNj1tiao0UFgfLrKmZkaux2lIzWJUPnX8M	\N	{cordon1:AQAwBgLKbr8MD3c4IoQFgezKRb5CThR1T0cUGItODnMXABSzDApgIr3xSUrujeBcl1xg4kU,NULL}
7	6	cordon1:AQIwBgLKbr8MD0flrUqnFzGeZ1Zsjk_6IGTd790pqgluwkD0Wq-fRMteu0y1IoDoxDS4jojF8ONDax-2PUimR-VkWn7oU57zfFHC	cordon1:AQAwBgLKbr8MD-nZjm4-Dcn7Hv7ASeJ3zhA-IRvM-qvDLWwXnIkBh_A-TEMDXGx7oxY-F2noxvszI6DslF8	cordon1:AQEwBgLKKvThk7M0LBw1ZAomh48NBKsPppypY9SWTgFNgR5F-Izn4PoRgI8rYI4N-GAti-dsxbM	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38FPk17YOQT0SqxyM-z8tbZBAqfDFsUK_UUFOzDLKB5BI4FolKK8tuKhGc	{cordon1:AQAwBgLKbr8MD_TEgi4FxtkA2v_VdLqXeCIBECiSLCzXVXI-AL4SB0lHSv1iwenTPNyVqQE,NULL}
7	7	cordon1:AQIwBgLKbr8MD0flrUoQibZJh1TMDIAxoQBKE8fznEyvgYi8yhBMLos6Agj_fONPDHZOlkUCoG9mjJNPzhV8u5aflbrNphYtQJyS	cordon1:AQAwBgLKbr8MD0tbfefHcUFBueHaeKx8dlo2GjI9TQPMtpfEmidAR8_47gtn72TLBi5J0t-0GNJ2qMOu0t0	cordon1:AQEwBgLKKvThk2Ag7O0zC3768kqL8eszSCDI-IgV9Tp3pHC4aGKHWikpqJID87lw_QrnSKAVhJU	\N	{cordon1:AQAwBgLKbr8MD3CPpC1j0fFX9er8jcUlZqKw1hicfUCfrkPsNP5E5j1sPSSbpKYJGdZ7qyA,NULL}
7	8	cordon1:AQIwBgLKbr8MD0flrUpF222z5UUNO6OzcWuRpm4yszr9tgW9jA0HVien9DZTz_KNCaQQbppv9aSurgTYRXjHNFUXis9Q3-bLT8xg	cordon1:AQAwBgLKbr8MD0aMB5CitzvyAb2jfb_QZMJDxupyJt8pYn6AIpiKGiNNU-vwQxbkDz_A5XotXUkOL5qYpSA	cordon1:AQEwBgLKKvThk8-Tvp88n6Af-G1bhEydlCt2YOKUFFsZy78tl0hA-A3Ecq6WVdzF6gMTPWP2EaA	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38cMI3Utz3YEPxhk5qri1Ot53Ofhiofw8cfXEphmRvwK-anD1vfNiSXm-u	{cordon1:AQAwBgLKbr8MD1F_Pgr4RAcClEgA3OcuKBPUu8CIUM0Vkm5JXrVui7FVrlvd3Z1q5JRnlFA,NULL}
7	9	cordon1:AQIwBgLKbr8MD0flrUq2WDo7MEqdRzeZJpjcARrrGGPdRRXisucumvcxKtOF2c_dBz8d6jOBXxA49n-Zh0etyhrt8bHTu3MStolL	cordon1:AQAwBgLKbr8MD5ARLNdPBihUB05iLp4QQbFtgnPNUwJlS31wUClI3MFYLmdhMb518j8pQq2LRHImPcN8Jn8	cordon1:AQEwBgLKKvThk_NySzpzhZrxUU_3YNujKd1xCfiJCnvnyLYlwJl7GVgkm01tDRq2HVFALRVRZRQ	\N	{cordon1:AQAwBgLKbr8MD8El5t-7JK_8m3auLtWa5eUkFpfNvM9-qmEjiMOZR1nx0X1ywULGmsxZ_XA,NULL}
7	10	cordon1:AQIwBgLKbr8MD0flrUobmMEuAuWZnalBTMXYRLwJ3Rp0-Bjdib1KffjNzsLBU1WeSByNjY_FbO2rlQz6gVBHS2vAk-vp4uNjB0kwBg	cordon1:AQAwBgLKbr8MD5aECQLBf0vBgumtEDBpH4EGFTNSIlfwDkyXG7YsgMkzstB_ZKI46eSRH4ZV1hrKx0v4beOC	cordon1:AQEwBgLKKvThk8WGvX6yWAZcG-KaEPriP3TK18VxheRWXr0GHVMt-Wez0Lcd1l0Shg_nWB2-2i3Q	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38aSyhi2rn-Lr6A8ZiDdM5LSbvkWi7FnlS-7Zm2NOCNoitgt_46Q2TmyVD	{cordon1:AQAwBgLKbr8MD7GVH3qW-R-vJfmr0OxL6odfchLskWNIWJZdBDpKvomGry7K1-b_pjUn_sA,NULL}
7	11	cordon1:AQIwBgLKbr8MD0flrUpM3XrN0kktYgTKoRxG_WLq2FxPrcOJUUHhppaeblq3pDu0EAaAHhFQyfXpqjVYzg4-CIpZ8j6d87iu_nfHKg	cordon1:AQAwBgLKbr8MD9HBQ81AzQuckWNsoLFktRquEX6JXZRpkagwG3L414CWMrdeCU_PqWHxaVR3Dzo7bSGsJ0-N	cordon1:AQEwBgLKKvThk-i_JLwXFBJ2kgzNErHicKMSNwie7OOBpdP8hVCH8LqbFjovM2XDljIH9208c3sk	\N	{cordon1:AQAwBgLKbr8MD7ok23wBrnkuCe1BpaiBKzk2B3IWOiIF1ersg9dqWLtceWgAQvr-wITAvjY,NULL}
7	12	cordon1:AQIwBgLKbr8MD0flrUq_OGZwtyh1vouw1b0rWU_lhRyUm2FAQa8jwkkbXMB41Nw1P6k6DwpZP3TD2W4gNOPKE4HCle067au1FIJz3Q	cordon1:AQAwBgLKbr8MD-a7WwqgJhqmtuzPBYH1NCd_3SEMZwIFk2QYdHthiaTxKZSyjaEtY9nSeGo1egEBgtlFw0Gi	cordon1:AQEwBgLKKvThk3sK2-p4lyICdtYBW-cs8VKPaCA8atxTmmK5Hpwffr8wmpCx4E5rP6h_b2TrdGDL	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38mx9suDabTgeLesq09j7LtqSrDmeSANqsGDqFaiH1MFMD09FnhGmG3C3Q	{cordon1:AQAwBgLKbr8MD3whQEmZTN32JrDGn_vnt7H67aEZTOoAJzhQawzyTX_Ws2qkiaBYFqrBtN8,NULL}
7	13	cordon1:AQIwBgLKbr8MD0flrUoex1IHZwPHFGRysbALdoB_-oPbLkTzgmwNXOe0YK3no80Cj_Eip0KtR0WbVtkeq9Qn92GH1Lh5MU8Eppc_kA	cordon1:AQAwBgLKbr8MD8f8NNClT2B1rTBNrJIo3XDxAZtbP-o45wn6IJh5Ze2Ywp-1KlH_JBN-4v3epFiuMdREx61s	cordon1:AQEwBgLKKvThk5Z4AFngwO-E08pOBQYAciBcfFnIavDa98eKW1xaVM29Gad1TaH2RLaAi3wvcjNB	\N	{cordon1:AQAwBgLKbr8MD1ZNSzrpDtHD-s2cN7P8-AFvgmi0nIQ2KwzdvAo31kPVawt05wvHa0mj6cc,NULL}
7	14	cordon1:AQIwBgLKbr8MD0flrUq0Qx7uOeOesOoIA49Z-bPIr7CpC_xtIGdyMUjAY8EZ5MOML7nhiffsOCNquEyC-VkBOJy6f1vzbduxsspX6w	cordon1:AQAwBgLKbr8MD9tB5DPO6G0uhbgHHgxLxEaUM7Pf4MW0jdLcss98alhrIsiCNMUiJG8G9KhBdxHchBw0Hn3X	cordon1:AQEwBgLKKvThk8zTWTzPRkdznRSOFnxJtnT1DzDPZo3wLDfZXNKeU-YOtbbNGbZxWSeY1upUT0a9	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38GaWd8qN04wD0QSk18_GWFr40pU64d0pjshCJjU_QalkvGXjiC3WlaNf_	{cordon1:AQAwBgLKbr8MDx56tM6DrS0rdSh_8v-QWiRWlcyygAp8cbAuN6y782Yocg3mUAA58Lkj-uI,NULL}
7	15	cordon1:AQIwBgLKbr8MD0flrUoBPfLygiiXLPQrFLhR-ZlAcPMwPSn3MMsZf4b4gMZKBj3Oy9QcqqOWpOhIEkBkxce1tYYWxj-0QR0wCKWeiA	cordon1:AQAwBgLKbr8MDyh7zV5tB2ZnBzd87F38NczPWvh9Ggg_dSH4glnOwMGXxiiWI-80YYRaNDtDKDWg4LTtFBhL	cordon1:AQEwBgLKKvThk8Jd1OVLlkoLlXumb9K2LhapL1ne5DT3qxjMNOHKVK_6sf6tX5UgpOBAQhA1nH5q	\N	{cordon1:AQAwBgLKbr8MD03tH7i5wTApVI_iBMMFLgojTUv4kq3S_0889GCcY1WAwqbXYwE0JpZvbXI,NULL}
7	16	cordon1:AQIwBgLKbr8MD0flrUpCnevprKiIlWicjJ4h_W5xggilRgnpzRR-gE7oW6yCtT4qRR7qCCckqkjqR2an2y9l4AMNSj9yq6sfQFqOfw	cordon1:AQAwBgLKbr8MDxShamM1Wforg5UYeWOXy_VzjCXHL97V38gkZIj-rYj2tYAMwixcHTuHGvx0MlFLCywL-3K_	cordon1:AQEwBgLKKvThk6QHo13hHS8t5rSClEc10mMVsXXy8nq2WH-l7y5RVmY1XG74o695pdJO6KYTF_eI	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv386r4nlnUlPDD2Sxu_3kdPNw7wsRG-PMp0Si7d5H3PvvcMZFgz6SBkPykc	{cordon1:AQAwBgLKbr8MD8Vi9gyYcvGToMYFhDSYMw_Sa_1ST8Gx0OgQuZFoxGZowmtZtKo0XEn8mtU,NULL}
7	17	cordon1:AQIwBgLKbr8MD0flrUqMsR9IBFwwgct-5WbXUdiRI6O88JR-cNmf60xh1wG-w7Wh19XUYgu0ko5F7CE-AAdJuDS8YYmLLuxXihhjFA	cordon1:AQAwBgLKbr8MD6xuZbAY7-OJsDnVIaY6QX20SQoID17GOFimoLz5JVwIhANeEJaL3LW2cDG2VOJnADEz9-Br	cordon1:AQEwBgLKKvThk-DbRjU31YZ9wy8SPiuIc3UwL1r4IcBme1790djiYrcLVx5497HlcEMxANQDzRqA	\N	{cordon1:AQAwBgLKbr8MD-KxljmI1aWqPv-4Gs_chnxrMfT4l_SqgBfjVSAxfINzHVNQtRs3jP8POUg,NULL}
7	18	cordon1:AQIwBgLKbr8MD0flrUpYNIGGvSZW3ZA1eZlxucl-QwoKiFHQssAz9WelpS77JEsmSGoyMlc16hr5LCqPk6Yc3CrvgdAO1wI2Ny-5rg	cordon1:AQAwBgLKbr8MD-hO9VL-ytVoCgx_ObZqJKnOIvbfnRYkC26ZScb5k2aAYFQQSG64eZK7dWgFGKx2QBQxI7Is	cordon1:AQEwBgLKKvThk63cQyfLCNfnJ1VPFAnMXiehyVeyCHQUPSfDSeq6QifLgGjaExKjnLwkvAAKjZgo	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38m8MVuDpaF60QZkfzHYt-_r8l7tSe4RfJco9_QZ_RwCo6qcypjh6Wslq1	{cordon1:AQAwBgLKbr8MD6NT6v2aoLiuxKCGYMBcgQ9pycRSgbB9b3Os-dFbLm-tj1PLkN3HY6aL-4o,NULL}
7	19	cordon1:AQIwBgLKbr8MD0flrUrp2xeZ2UUKmW2A2kJVF6gWNUiF2ESsx1sANvtQpwc_01YDnOUxSOYhncxALre6kdh6b3huvq4xc13noJdczg	cordon1:AQAwBgLKbr8MDzR9VCA0ynPQ3p1us1ysloBKj4cIeKpIEJu2r3F526RBZVsKXHaBpxPw67owdTakolFUyiOw	cordon1:AQEwBgLKKvThk2HuzyMUQnGx8mnIpVe-vDxHQJceTGXbZXjAXykMzwLHM97jlN1kntxHMCieZFxX	\N	{cordon1:AQAwBgLKbr8MD6PioX8KBNZBQVnd38TWLgwtBMNb8zEWBP0-hK1OG9jRMf8Td9PEQV1L6fg,NULL}
7	20	cordon1:AQIwBgLKbr8MD0flrUqvhZss3nJDFkX4lnZQeiLrDZyRL8URU_mIQF-GHaiYLrUSdrk97Ljb__OHgSxcaApCz5DpnY99aV_lMc-Ksg	cordon1:AQAwBgLKbr8MD61tzDhjm2PoWtQXV6hruMSXuUQkxK7eiVv8jhHGrLFI7cVjJiZQkPsAmspHPwA2PMnZZY_W	cordon1:AQEwBgLKKvThk-5dT2wRVHin7tSTzvj4O4KXq2TYV8Kw7jLCk8AFBCCUxOy1LUYzDRTbuoJif4TI	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38W_vrtb_67fUJ7yJR8b71B9zfVAa8qoTKE4hcAEcPNlM-U-CYVnZtuNhU	{cordon1:AQAwBgLKbr8MD3A7qPJiUl7ubUySKRLm-o5zYeBPqVSYowFNZHdAuVWIeL0oKwM1_BS4YsU,NULL}
8	1	cordon1:AQIwBgLKumGfrUflrUpX5a_WTBpKaJ1d3qV8bLL0N1BIdLzNGiRu1UFtqyBjIle357Ut2Ur_V-fZ9fpGsGoqPDfEYRXCAZZ5PnBu	cordon1:AQAwBgLKumGfrZ7qBCfXRLBPnpw4ArbrwIMHo052p9bJIU7uTCUO4BRHIt26pesByfNR-KuIv7p2nVKdRNo	cordon1:AQEwBgLKKvThkwfB7hrhCnukmtK3D9e2HOmpbaMI7fczX6J0OqZD9XNYcnqFgwplSDyQ6ELbcqE	\N	{cordon1:AQAwBgLKumGfrV7ewYmcVIEd1hZz_AI43xCpb2ySmCu7HlglF5m7LuJCHTDkYMFkNOoFgDc,NULL}
8	2	cordon1:AQIwBgLKumGfrUflrUqmbzOmbb7LEBmvslO7bPcpNqWl3nDy1XU5yhEYldfltcdrD1FvbUkjPfW_sEiey4ItYYPG3-cdS1nCR6lx	cordon1:AQAwBgLKumGfreCN3vDeGYKwg9Kw71Ft34gjFHwoJmLDNPJHjl8ATP6__HNtUgrDObVJxHV0MzUQD_51J5E	cordon1:AQEwBgLKKvThk0ZWamEYCQ6gwjjUU8ZvGFUVqACOf7hkYN6nwGoHPP3pvjusl_PCxX12opkpOv0	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38CIvXYHxOwGGKlebpxNJDWvKzZAEjy88A1yKZGYB0-bF7jPEYDeG97aEy	{cordon1:AQAwBgLKumGfrcLzEJCeKCpiIZcBacxBcVwDD0FIa_Eq3qbjd0-KmaSg6Ln7sSQU3BKg-94,NULL}
8	3	cordon1:AQIwBgLKumGfrUflrUqo85rE613KOtKMif0NdIrJrNyPTe-MSUC5OQ38ly_ZOl0pKCM5GIRdr0euLrMOtHRNTYvRsEG_e9WkQPRx	cordon1:AQAwBgLKumGfrcw0oaHivJL-m15lcN6G69DqvkOOepYyRvotQJzoE5ala_n6id5dzZetPe_1MvIOP6TS-t8	cordon1:AQEwBgLKKvThk77NVUYWZVwphAGhoG_ru1g7DZ7dZfJF_N9dTaB5bc63CfU1XTzDGxkh73OOqic	\N	{cordon1:AQAwBgLKumGfreCt-rKbo1wMqP_uByO4DeEtqc-mZQ7OHPKTIK-bsZUfRTjfdmdVpSBqolU,NULL}
8	4	cordon1:AQIwBgLKumGfrUflrUrMYMZIBz8SxyBAtm-mkFPlBu-A4ItWHCaHHkXgkKY4TRjdSpfqq9VPgeu1A6WqFuXKNdEf4maCjJ1MbOaq	cordon1:AQAwBgLKumGfrVnLNdTUp8Lw8rwv93gDHeCpto6GpjA5KSbc7xqo00ECDv1XTPK1A3I_th3RSjmNi-in2Ps	cordon1:AQEwBgLKKvThk39DpsjPHGiSElj6uxaU6k3ZIYjK05mcLV0t8q05nrN5plOGgDpV5lCV-TMT5tw	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38VQ02NR1D0aeuOPDJeYDgvOElGP2JmZ0U4PPM5YEPQ0_RUwZdlu3JZQV_	{cordon1:AQAwBgLKumGfrcGySqlEOxRIFoT9S0Ch0GU0K9rfF13VtpGaYCnBeM9bL4lex1x7tAlux8g,NULL}
8	5	cordon1:AQIwBgLKumGfrUflrUoKicnsCdXsjtT71HehGqo2kJGXTB5yJbuAoHmC2Yd5x6Lpcys_LrbmA3lfETcC0DnjPibbs46BFA8I9xhD	cordon1:AQAwBgLKumGfrepjUAZoMq2jil_WNcS3jU6Nqd-J945q_nhfJT78RJ2XF0QzsjP1p75rruylwVpZTf13Qi8	cordon1:AQEwBgLKKvThkyCgerqiQ8LShW2wF9g-gFYg4NjdQkzJ3a4-9Y1rBdkxIZjzRRa2bdEKG_Srb6k	\N	{cordon1:AQAwBgLKumGfrZ6vOB-PCUDshZNoLcZAivoH2y5PwanQNkM5hZnjJC9FNtDvspA0uIV6yu8,NULL}
8	6	cordon1:AQIwBgLKumGfrUflrUphjT2jnDGUSF8YvdzNRuoktMkLH4520TSwBgBaGNqK5DXf9aKqQra9e1qLuFYJEbhDmNxNjmReiBjFcZkM	cordon1:AQAwBgLKumGfrS1ucuJQVoFxqCLHM0JFFumiawJdv61CCnPz8Ey0-59SJDHzy6dXd6G37Ge_OIj5IW3pC9s	cordon1:AQEwBgLKKvThk2c0Qf0J-BDNyVhTcd9YkQS3LTYU3-4Czx0viHgiHlNDHT_QaHGiMGTduLRHlVI	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38mRYi5O2piRSqjpa6q3R3O-Lp8IWJgh5Td3WPomZjR8xo1c7wk5APeiOm	{cordon1:AQAwBgLKumGfraeqHHIWsgBHQ4qXTbCz7HaxHZrtXOv92RoYOhiQyjqtBg41dK3ULmBjpb0,NULL}
8	7	cordon1:AQIwBgLKumGfrUflrUr7lbwRFGKPftQ2FB3Q1JWth9YHAk_ZqRWi4PRuNZj2P32dhfUA53fNCUD-01iyZKc8oz5eCsuPF4au8EHw	cordon1:AQAwBgLKumGfraTre_76IgmB31bfWuFOkIe0Py8MD2yAwFOrRCFAhb3jT1u3Uj6ijmJq4IzlEQumoDf_B6A	cordon1:AQEwBgLKKvThk9tO8559E1gZkrG98RSxOZVi3T-5UYFNFDDtc0tibZxyPZQT6QHnKQF96t1VC4Y	\N	{cordon1:AQAwBgLKumGfrSqqUWXVg7rwh01IUlzS2CEAk3YBrW9gQ4cuI8z44YuUvRPjIgxeV4N6qYI,NULL}
8	8	cordon1:AQIwBgLKumGfrUflrUpfU5MHFlJHDDnVjQRVYctsPcEPvzyhBNBxVfYKtqk53HyL-9qsvGdMZi7AGumL5WdF1Z73_5Gvkegs5R0q	cordon1:AQAwBgLKumGfrZskCTPRCTzkb2jwX2JDa4E2WCjgREs2V2VhnjK3XSnaRwJ3EHIQv5ISXu0b3AEFlCxnwgE	cordon1:AQEwBgLKKvThk_aS6X-ux3SX3CmgN1ez5p_ZTh7XsDOqDLeV9g5Mt-NmN_XpJYrANziO4YmZil0	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv382RQICQGk9wV3NPKTKKA8PNmW7R7ZG0txDFaDMINTxtDsfd6_SNZAHfqI	{cordon1:AQAwBgLKumGfrc-zw6nhvNryvKBrTZ0Ve3Y9_wzml9n5Ops5RnsVJZns-Ho3HSh8R3Hf9O4,NULL}
8	9	cordon1:AQIwBgLKumGfrUflrUpXAmVOW20wP2eflttl-f0C6b-wCq4ayQZbyz1QumOjR61TT3VOjC_hIIt5BvpCglC8KlDipW5IujNq9eMr	cordon1:AQAwBgLKumGfrfpxg5549pNTayA9w1AV-vt6eDzsE6rOikaSkm-UBbppHjo-Qau4AHNOrJmm9XMu6f-Ayi8	cordon1:AQEwBgLKKvThk5HBEPXK9Wpm3qEC1XFpSZdSiltfcf-KXvDUz1NM-yXn9MbqyQBvoMQhLsQvveU	\N	{cordon1:AQAwBgLKumGfrWRkp-ACFQrsTktYKFaCMmQyEiTs33y2cAInmWNoNe4ujeed_qUQsXO4JyI,NULL}
8	10	cordon1:AQIwBgLKumGfrUflrUqaZgpjgATS3_JY0C7Dl-4PD6TNxppIuX-BcpkVDqNqQ02q8k1zLCUNePGjDhQfYEtCXh3ENYYIw9VCgBCgxA	cordon1:AQAwBgLKumGfrUU6aEB0RroxSDkIF5dttZ5MoWw0HY_Wrqk3ep86A7xdFxReXyez0x7DcDIvf6sqemQ64umu	cordon1:AQEwBgLKKvThk1hQ5IDi6gOYDVMOkOVHwuvtAgqa5A1-d27QCt3sF5e_8s19baLojrOpMmBGLL0E	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38gzY-_8hUAEUgNFjE0Lvak9HRvX0ndZEFuz18ys-JmwsCjwLoHoWOOY4s	{cordon1:AQAwBgLKumGfrTEWM-xMI5n11r89t50_yh2sGR3EOkzc-LZRc7ffm8McrPDpsdBctOZ0_P4,NULL}
8	11	cordon1:AQIwBgLKumGfrUflrUpJHbicK8fEnXIxNVh-zL69nMw_lDGvy06vgFgMdz-cAr0SRZzy29T0VRBsmU_SY7rE4NDh8UAL4AjtmeUznw	cordon1:AQAwBgLKumGfrYRDJgAtG3hSVrSOIcj62giyEYVdGDDQBYdRJVf917X00ATniBxFf-0kGJLSNig8IsONHmed	cordon1:AQEwBgLKKvThkzzwM2vSDIGYo-bXEhdq9EXMXo3l4O1OrAqNFgcscKVG0aPRBd2xX2SggtoaYWvW	\N	{cordon1:AQAwBgLKumGfre7DsgGFFchDCDRpinhv3ZHQ7JHDXEYH_d4wryWwXOv9pPjZy1J5OpmjZ9I,NULL}
8	12	cordon1:AQIwBgLKumGfrUflrUrSE_9ZOhXaIy9kSgZ5ji0FvY2d_pqwvV0JIfTq1nVu5e1EL0aroslwVpp4HW-8n6KtVma06AF0TgrfJuEISg	cordon1:AQAwBgLKumGfrVfz7cgpvjF7Hiu7lfBBT6JYh-iIpZ_v7I18jIuI82d_JR7bRIa2WPT39zqk7kiF7eh2Dfs5	cordon1:AQEwBgLKKvThkwFXioVX0NW9NSb5lILE5tCigrAEQ9FZXHud_qMpG7Xi4LmgMfpxWBHfcmJZXFtz	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv383TGARSLwml7NK8w5XNT_CNZT-Zefd0RHp7T2UDxv3YYzlixt0XJMwkJI	{cordon1:AQAwBgLKumGfrYqO-s_mdb3AxFUPI_kaP-6u-mQyZztOJAz_7prjcsL-XBPHZi521eshEG4,NULL}
8	13	cordon1:AQIwBgLKumGfrUflrUqw9AWf1ti1o8RNzMuUFaH5tDYr0K4Nx1W-JeetD8gKZ_O1tt5gDX0FwjpUV6cQ7OM1JPMvpYWryWwYgIYSIQ	cordon1:AQAwBgLKumGfrVNsSJ27i4fMZmguUL2pTtd7_8JzMwB-mA532o7cIqsfKGYWsFkwDR1-0Q_T2B2kwEyQAeGJ	cordon1:AQEwBgLKKvThk0NEkUjr2uJ0uk3Scr5lnlP00QlRUqQsYJDAwaul6VyxBmWFYGF2JVmt1ll5LmNJ	\N	{cordon1:AQAwBgLKumGfrb-ILLx8kO0lTr_HKolEEgcTPNYxNWK61Yuu5bQfs4X3bGH1uHb4_HlTGsU,NULL}
8	14	cordon1:AQIwBgLKumGfrUflrUqhipanZhOoLcxlqEdWHGVu9hDizOorHglyWdQkTv49yod7BknnhLeVMu6fqhfHiptdF91RBqOUONmkjs8-Lg	cordon1:AQAwBgLKumGfrfyF8V28jCvKF39YdxJb9G4T59PB96xmyJU2K6YFwGi4Ht2qxcxrpc665eLk9aj--91_w3qp	cordon1:AQEwBgLKKvThk2ks3e_6-2RM6wSPR8OSyr5RrufTccNncV636PlauY7IZqzdX3BsvxFBIDvkbwZk	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv3802UM0_KJ8n0ENhDFn7nSg-ayQ6_i37I4sMMvW078-MhnAdXPYoDoh_g1	{cordon1:AQAwBgLKumGfrX0vljOu5Q-t-Kt-acN9ILhTppazIthYW3pbnsk2xz9sS085UF31MQ83OrU,NULL}
8	15	cordon1:AQIwBgLKumGfrUflrUq4NiU1-1eQefOQJs98IrpuOMSXGUzA53DnajUVk8qzoYsHKRgDEFmudNL0oN9V-6gpapX_XJxOdgza-LlWCA	cordon1:AQAwBgLKumGfrS0kfm2rzAPY7Gog-GO4WDuQZhlMG24KqaRIVwE5N58xoFRb6HQHEfBQZXTq1LbUUcSvsw0o	cordon1:AQEwBgLKKvThk4ED5zt-p23dkCvd6aXKNfc4BXc5Iou6YTgZ4_98iTfpfs0bnm5J2ipXd-iD8E4T	\N	{cordon1:AQAwBgLKumGfrf6u6SaQ5cR_B_NbwitTT15-iLYBPR5edRU_eu2uLIhGrl0z0DRGiGiCLWM,NULL}
8	16	cordon1:AQIwBgLKumGfrUflrUqNo-vIwHAlCbUhvLbAdfRXZv8RRGkUzFMdJrxLz1rquEKk-EQHLaibrGP7Xc2ZicD9Ir_QhjbAuMdYmPbmcA	cordon1:AQAwBgLKumGfrSAGQKL9ChYu8uZJQ761A4Q501cUeJ5s1Et78-xDZgOiV6qgwu_ultqO6nY0OPJbuLCttSSG	cordon1:AQEwBgLKKvThk7-Y7nmf2u4Ig41zVJ4QYV4LB4k52Tz802QiOjXhRDfqqA2zeuLIl9a06DIf3JcV	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv386Zrr1LvyNkSlGH91Wc8WXbawii-2EktrCvU4yKPjBNYS4TX1w7oecptw	{cordon1:AQAwBgLKumGfrSjmQD1ZN5GmmDWSlMvOjVAQn9ssI7g0ePTERRTwkRXcOEi9FMm-mAKBdtc,NULL}
8	17	cordon1:AQIwBgLKumGfrUflrUpqzq1utf5JFDP_UhUxa3-2gBGDjTxZZVG-vhIamT9lfT2MClSSa_kIJPcDfHCF2JlyP2qXNQbeXkYzqe91Mg	cordon1:AQAwBgLKumGfrbSRxCf4cEIZStnV8J1p47BeXWwEVh-0bCo59ix1OnDkVaJE53skfjUQW5WnhuXWPWlyJWBD	cordon1:AQEwBgLKKvThk18JLPtyUNv3g9pHR7gOufBmdmgEz1td46xz_wWGLgO_V4IFnH7lLfXz7Qlu0G0E	\N	{cordon1:AQAwBgLKumGfrRa8SMmCcMxPiWDoRFu3Mm-O_I9R2t2OQtv7ftczfTDWL4nc3Ci_2ABKqIs,NULL}
8	18	cordon1:AQIwBgLKumGfrUflrUpnef6uEuEC1iEP_GG69Mi85x2lJ3ZRAD2ipvvAsS39pGixKYk-DyGNbxuhgOnkm6IiK24EZXmUxWdcdJeEJA	cordon1:AQAwBgLKumGfrThtCzvz0sgkBXv6p8uASIgHdspDJCyY0jS4gARO4YWganLCsBbWFlfrP3H8WiB7Fzsc689p	cordon1:AQEwBgLKKvThk6akYnGsuQM488zec_MNUM15HQb2mt9fyOOK-pX4Vf-sqyNBi8mdc8LP5Sp5ZzML	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38jurQ_eX90oaZIv-AVA7XpFjyeoHBxOeHT76s8HBdJPClq4K5CS5T8Dpf	{cordon1:AQAwBgLKumGfrTkw8dfJ0OH-vHzwoGycPB2j9-a9VbwwAIftv9VuaJ89TvCtJpKmb9DcLr4,NULL}
8	19	cordon1:AQIwBgLKumGfrUflrUpw-61vJ-dUjGO2HBKxW7HfpoSaosUXWojtzjA2hOwqzYgkqi20jN2U9WXW7Dk2WmYiDtA9LucCTE8Z-R4PTg	cordon1:AQAwBgLKumGfrSfcjErKnUpxl5YLuihGLn-2Mj5Fhb4TDhhVUosKOTQkyD25Bw89zlwzBDZaldmzKein6kzm	cordon1:AQEwBgLKKvThkxPsKKXC0nYvjrSmAuqReCwld3tgqvEKoTFCCMUr5IkE_Srirn6nkw7QfG2ylNKw	\N	{cordon1:AQAwBgLKumGfratMMj55XVOgPHV2HAyCsvZM7aqAnPr9SumooGUTSZ5O8VJYoA666SQLpdE,NULL}
8	20	cordon1:AQIwBgLKumGfrUflrUoYnOTxSBH_oY-0Mj5ezcKhzRcwyeqAVwy1-TmCV8TcfymH9K_L32ZjUMg89wsTtGbrgo7XdNvGEqvkXwMxnw	cordon1:AQAwBgLKumGfreWk-ibI8_SM8YXSJIwWOM1NKgY-FhVTs8VcgLs2hDCRpKDcJKdFFoTtD4bCSHbyoqUE-DX8	cordon1:AQEwBgLKKvThk1gi61PFOe7Czt6ivc8HHX7z5UHOVIpFrUV32Cx1EDI-MWbmisEF91asBkaB-1CY	cordon1:AQMwBgLKKvThk0flrUqhHK0rMIsMM6oXVSaHXv38HpcEiGw7NtECwuVpFQRkS97SR6XcaLWjChdKOglRrG6yHmiNtG8dcF-i	{cordon1:AQAwBgLKumGfrR_N5w1O_cHCehuwlUA7lWbDhCbUxn-30G0BY1AzyQrh2g0lYXEEcOUSQwk,NULL}
\.


--
-- Data for Name: api_key; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.api_key (hash, name) FROM stdin;
cordon_th1:AQGH5PAD6XNFvgk-sjJAsIBsE9XC-MlpBkHFC049Nf_WlLdN_Zk	released
\.


--
-- Data for Name: document_0; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.document_0 (org_id, id, body) FROM stdin;
00000000-0000-4000-8000-000000000007	1	cordon1:AQAwBgLKEQraCtL-v6s6-UDD77RxUjMtaG84LzItVoxgcAsXEdcAoN1AmpOyLAXFIdlSIgxK
\.


--
-- Data for Name: integration; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.integration (team_id, id, secret, secret_sealed) FROM stdin;
7	1	plain 1	cordon1:AQAwBgLKbr8MD3bUziAPCmbF4FcId-15i1Y9KtrEMXbAasalzFsEWvE8WMNAD1c56QOQlJe8xZnK
7	2	plain 2	cordon1:AQAwBgLKbr8MD6UwjDUQKjK-xb9jfBIqE48DdQK4AQupNN8DW4C2-AOdZLeWbSJU7-t7YfZVICEX
7	3	plain 3	cordon1:AQAwBgLKbr8MD4mmRazQflZo0oVl0F7iLzYZUbL_gvwQYQtqCY9Z13Rze9uTa1Z-pcf14iY84ATc
7	4	plain 4	cordon1:AQAwBgLKbr8MD1Yr2Vp64IRywcMmaY4Hv57tijPk4kbaAPOZZu8jAeuCyiQhLTTgOEDT4Q9Mw1IL
7	5	plain 5	cordon1:AQAwBgLKbr8MD1e6CjUS_5M2fVYKWARkkAWzQaGZo9sxailIPdlaoWGoX5aokzxxntYt6qx_jTia
\.


--
-- Data for Name: issued; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.issued (token) FROM stdin;
cordon1:AQAwBgLKbr8MD1iP5JAR2I3Ei7acmCG-hKRKh6SHzoJvS1PAgvV_qbVIDbRnUt0wXiKuNK95DMPDLd0jua-yThfyoaxYefm69nOr8N8mr0SURy00U9w
\.


--
-- Data for Name: own; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.own (team_id, id, value, shared) FROM stdin;
7	1	cordon1:AQAwBgLKbr8MD_qek0gUdpfEouUIOYzxiilJqpL4WqQcnvGDa3lPjjlCPBvGdYw78Dm19lc	cordon1:AQEwBgLKKvThkwpTkhy0kClBrKW55WKLLZAvAIxMS_gO7zb-W7q9ADWjwxnvhOn5IeQRN56lwWvG7kTJ
7	2	cordon1:AQDnfF1o6JQRKxDZG0p_GMJVQMSNMz91Hdt_QqEe81RMgzIt-DmvAlZXjqQJweqtlL3GwCHA8i3HjQtXnpAgbD2cwQ	cordon1:AQEwBgLKKvThkwpTkhy0kClBrKW55WKLLZAvAIxMS_gO7zb-W7q9ADWjwxnvhOn5IeQRN56lwWvG7kTJ
\.


--
-- Name: account account_pkey; Type: CONSTRAINT; Schema: public; Owner: app
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (team_id, id);


--
-- Name: api_key api_key_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (hash);


--
-- Name: document document_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.document
    ADD CONSTRAINT document_pkey PRIMARY KEY (org_id, id);


--
-- Name: document_0 document_0_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.document_0
    ADD CONSTRAINT document_0_pkey PRIMARY KEY (org_id, id);


--
-- Name: integration integration_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.integration
    ADD CONSTRAINT integration_pkey PRIMARY KEY (id);


--
-- Name: own own_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.own
    ADD CONSTRAINT own_pkey PRIMARY KEY (id);


--
-- Name: account_country; Type: INDEX; Schema: public; Owner: app
--

CREATE INDEX account_country ON public.account USING hash (country);


--
-- Name: account_email; Type: INDEX; Schema: public; Owner: app
--

CREATE UNIQUE INDEX account_email ON public.account USING btree (team_id, email);


--
-- Name: document_0_pkey; Type: INDEX ATTACH; Schema: public; Owner: postgres
--

ALTER INDEX public.document_pkey ATTACH PARTITION public.document_0_pkey;


--
-- Name: integration zzz_cordon_convert_3; Type: TRIGGER; Schema: public; Owner: postgres
--

CREATE TRIGGER zzz_cordon_convert_3 BEFORE INSERT OR UPDATE ON public.integration FOR EACH ROW EXECUTE FUNCTION cordon.convert_on_write('secret', 'plaintext', 'secret_sealed', 'encrypted_text', 'team_id', '');

ALTER TABLE public.integration ENABLE ALWAYS TRIGGER zzz_cordon_convert_3;


--
-- Name: account; Type: ROW SECURITY; Schema: public; Owner: app
--

ALTER TABLE public.account ENABLE ROW LEVEL SECURITY;

--
-- Name: account cordon_floor; Type: POLICY; Schema: public; Owner: app
--

CREATE POLICY cordon_floor ON public.account AS RESTRICTIVE USING ((team_id = cordon.tenant_int8())) WITH CHECK ((team_id = cordon.tenant_int8()));


--
-- Name: document cordon_floor; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY cordon_floor ON public.document AS RESTRICTIVE USING ((org_id = cordon.tenant_uuid())) WITH CHECK ((org_id = cordon.tenant_uuid()));


--
-- Name: document_0 cordon_floor; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY cordon_floor ON public.document_0 AS RESTRICTIVE USING ((org_id = cordon.tenant_uuid())) WITH CHECK ((org_id = cordon.tenant_uuid()));


--
-- Name: integration cordon_floor; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY cordon_floor ON public.integration AS RESTRICTIVE USING ((team_id = cordon.tenant_int8())) WITH CHECK ((team_id = cordon.tenant_int8()));


--
-- Name: account cordon_tenant; Type: POLICY; Schema: public; Owner: app
--

CREATE POLICY cordon_tenant ON public.account USING ((team_id = cordon.tenant_int8())) WITH CHECK ((team_id = cordon.tenant_int8()));


--
-- Name: document cordon_tenant; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY cordon_tenant ON public.document USING ((org_id = cordon.tenant_uuid())) WITH CHECK ((org_id = cordon.tenant_uuid()));


--
-- Name: document_0 cordon_tenant; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY cordon_tenant ON public.document_0 USING ((org_id = cordon.tenant_uuid())) WITH CHECK ((org_id = cordon.tenant_uuid()));


--
-- Name: integration cordon_tenant; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY cordon_tenant ON public.integration USING ((team_id = cordon.tenant_int8())) WITH CHECK ((team_id = cordon.tenant_int8()));


--
-- Name: document; Type: ROW SECURITY; Schema: public; Owner: postgres
--

ALTER TABLE public.document ENABLE ROW LEVEL SECURITY;

--
-- Name: document_0; Type: ROW SECURITY; Schema: public; Owner: postgres
--

ALTER TABLE public.document_0 ENABLE ROW LEVEL SECURITY;

--
-- Name: integration; Type: ROW SECURITY; Schema: public; Owner: postgres
--

ALTER TABLE public.integration ENABLE ROW LEVEL SECURITY;

--
-- Name: own; Type: ROW SECURITY; Schema: public; Owner: postgres
--

ALTER TABLE public.own ENABLE ROW LEVEL SECURITY;

--
-- Name: own own; Type: POLICY; Schema: public; Owner: postgres
--

CREATE POLICY own ON public.own USING ((team_id = cordon.tenant_int4()));


--
-- Name: TABLE api_key; Type: ACL; Schema: public; Owner: postgres
--

GRANT SELECT ON TABLE public.api_key TO app;


--
-- Name: TABLE document; Type: ACL; Schema: public; Owner: postgres
--

GRANT ALL ON TABLE public.document TO app;


--
-- Name: TABLE document_0; Type: ACL; Schema: public; Owner: postgres
--

GRANT ALL ON TABLE public.document_0 TO app;


--
-- Name: TABLE integration; Type: ACL; Schema: public; Owner: postgres
--

GRANT ALL ON TABLE public.integration TO app;


--
-- Name: TABLE own; Type: ACL; Schema: public; Owner: postgres
--

GRANT ALL ON TABLE public.own TO app;


--
-- Name: TABLE own_view; Type: ACL; Schema: public; Owner: postgres
--

GRANT ALL ON TABLE public.own_view TO app;


--
-- Name: cordon_guard_ddl; Type: EVENT TRIGGER; Schema: -; Owner: postgres
--

CREATE EVENT TRIGGER cordon_guard_ddl ON ddl_command_end
   EXECUTE FUNCTION cordon.guard_ddl();


ALTER EVENT TRIGGER cordon_guard_ddl OWNER TO postgres;

--
-- Name: EVENT TRIGGER cordon_guard_ddl; Type: COMMENT; Schema: -; Owner: postgres
--

COMMENT ON EVENT TRIGGER cordon_guard_ddl IS 'looks whether protected tables still are';


--
-- Name: cordon_guard_drop; Type: EVENT TRIGGER; Schema: -; Owner: postgres
--

CREATE EVENT TRIGGER cordon_guard_drop ON sql_drop
   EXECUTE FUNCTION cordon.guard_drop();


ALTER EVENT TRIGGER cordon_guard_drop OWNER TO postgres;

--
-- Name: EVENT TRIGGER cordon_guard_drop; Type: COMMENT; Schema: -; Owner: postgres
--

COMMENT ON EVENT TRIGGER cordon_guard_drop IS 'takes dropped tables out of cordon.protected_table';


--
-- PostgreSQL database dump complete
--

\unrestrict pVNprx085TiklTlzHFblw5CUogik7yGci9fv5DFosusI2eCc6s26tUpUfydZUh7

