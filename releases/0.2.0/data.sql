--
-- PostgreSQL database dump
--

\restrict gGE6tOutNrzO9CZ6boineHbBXwBMvfinure7YPgd7IMPgdMoSarpMTuTTYnHy9a

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
    country public.shared_encrypted_text_eq DEFAULT 'cordon1:AQME-l7iu1Ce7yiJTC0F0g_Nx8qw247IH9bKO-CWQCn0KF0PqgtlFCbjvtaG6qIkyI67yjGUGHkZPzb8Ra1NgTrnXVcvFqOPE1s'::public.shared_encrypted_text_eq,
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
    shared public.shared_encrypted_text DEFAULT 'cordon1:AQEE-l7iu1Ce7y61BbdZGUvie0siVd3Ji_NjAT0zSOnszOlxoqFLs9YR1iz2jvQipdHAPy_YUZaL55Fp'::public.shared_encrypted_text
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
cordon_th1:AQGQBrrRK_5hv-AanFmvaf44cTi4bdYQYPkvOGG7FTyzPVWc32s	cordon_th1:AQGQBrrRK_5hv-AanFmvaf44cTi4bdYQYPkvOGG7FTyzPVWc32s	api	user 42		2026-11-21 14:47:36.081688+00	infinity	\N	infinity	\N	\N	\N	\N
\.


--
-- Data for Name: account; Type: TABLE DATA; Schema: public; Owner: app
--

COPY public.account (team_id, id, email, token, note, country, tags) FROM stdin;
7	1	cordon1:AQIE-l7i6pkqXCiJTC2rn7wwzpwi3duwoevWFnBvn0neOnX9_DjKlTPae8pb9YsxBiKVsvnV3wtRJ9C6wtpVGQqUzv67vRvsTwJO	cordon1:AQAE-l7i6pkqXERFnyJvvtpz_nheSqKIdtFUbYAZnfG3ziZHnB0EQvkalfXErdE1V8-vP5_Md9jBKpYsQZo	cordon1:AQEE-l7iu1Ce7xB6afWj2iZM91gXSfuRwFLitXkPpu1B92yt6On-2idnwt43RZHz9DshcakYGdc	\N	{cordon1:AQAE-l7i6pkqXJXegavdMPxISGX5XZ1udfDgx2CcncedlJ7M7JqOkhSBoTOeVlo2AFR04ys,NULL}
7	2	cordon1:AQIE-l7i6pkqXCiJTC0Qo2pYk6gKg9c79-1F4VTU2nySEO-c_G3t1tUEXRNAiL2mPCsAUZRezZQlKgN-jwtMj0eMUCfeALnfxE13	cordon1:AQAE-l7i6pkqXEvojO66YQicf4g5f_nfKgS4GIbB5ss0t9p4TZSx4EaoBsEIIZFd7WZtrnp6txneF5KtB6Y	cordon1:AQEE-l7iu1Ce75jtdnl6594TGgmWKnRZZt66swk5NeZyD9ABgZLoT8PGIfWC8cRVK6Z3307bCmo	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZLdzhN009_MpwxIzkrb_L2R3MDxTG3oFjHfdprtZ8Qv4_l3p8EmgAFtOW	{cordon1:AQAE-l7i6pkqXMNvbPWVJxGXTse-eFQoKHcKJIgJurcohZDEh938zfDEIPMTPqPZyBoQUXs,NULL}
7	3	cordon1:AQIE-l7i6pkqXCiJTC1qod07uPBgS45DItlUN6GH9wJ13EbxNo9oCq8nPNlgoPijWk_IEWhRwv676Uw2XMl7atJaiUFIIBf_MmBO	cordon1:AQAE-l7i6pkqXCQfJRpb-OlIaINqVQCOfQkUug2KFYZ6_0NQDT3iYKWe0_5QhZctmhnWs4_Ilh8hM257kCs	cordon1:AQEE-l7iu1Ce72ePsQtUnekqeoVc9kRbzawolDr6jFyAopWjq6NdJCN3MxYGPmMpKPJ3asD-UtY	\N	{cordon1:AQAE-l7i6pkqXGpxmRIFbzAGpRnJ17NCBojDSc_xitdZgaQH-lGL9GF4RaF7PWKN4hlyQJg,NULL}
7	4	cordon1:AQIE-l7i6pkqXCiJTC080nPVK7CUWrg1O4-iAILM6mzUe_CY3g_A_1G7TaTzObw8cRkCShC46KxCS_yJAPJS-uHP6uhcIlUCWkLn	cordon1:AQAE-l7i6pkqXLmPM-HmRrjEGXG8dg3WjVnQwqbs5SnEwUph7iIGg755D3ILpIWo_NEvMXHfeCg_eEq7mFw	cordon1:AQEE-l7iu1Ce75zU9cJbLT4OcIAEWjv93CcSwTQ1Cec_jFGnwLUBpKxFmBY_SzmloBZJdDE9aGQ	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZTJeVzwcflIWDnqQOv44zL5aViecjQP8VnnFBLSO47pCo_KQS9OB2M8I2	{cordon1:AQAE-l7i6pkqXBPnoOnHx2CcDTxaux95XKeDE43wP3NZ2tzRDyiI-LA27ZBNrUtXOpJcIBs,NULL}
7	5	cordon1:AQIE-l7i6pkqXCiJTC2zWkIs4u9cNot5dFTbaEBSYNlR4b0O9aeROMFNgDbe7QRGP8TiQhkcvoxspCeyUA3i4NlefqjtJWx7Vhhj	cordon1:AQAE-l7i6pkqXEH-SjJggPbF8rwEwWRGKmmxthIC6d9TzyQcOtSu2GakykI6ZJNCRKwKA7FUO6ryask1F1I	cordon1:AQEE-l7iu1Ce78t7DFAi2yLumMBXv-lbOkyVC0QtRJxrcQM4xX_ChxDV3ndFtt_q29c4qEF9PfM	\N	{cordon1:AQAE-l7i6pkqXBUnEc5-B7RB2IcTQuZKwbjpjKgScEsiNo_USFXn_mK8wjcoTvuWZxSmQJA,NULL}
7	6	cordon1:AQIE-l7i6pkqXCiJTC13sKA6oVZB0oq5M5y1k_YBpzoHVm6Y0k7AhWyfQlFPZvxhsxJ9RnsAkjemAxHyK3ha3QmWNHhuYotVnQ41	cordon1:AQAE-l7i6pkqXPQqwo_SAo9vmrOJrir7jh5quAsJqMBQiiYjrax2SC-b8to24Hr6qg6ep2Q2dpL7K40rrL0	cordon1:AQEE-l7iu1Ce7yRCnsDIQ5mCaPwIjl2fT2Y6AgsLly5P0-tHe6MESME95rKwmAgg75sMxicZd5Y	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZ1Mn_x_0svSAmCLD3kXSr--Bl7Oxu3l_C6UyzrGGJPxg1-nmLMEmcxl1x	{cordon1:AQAE-l7i6pkqXHnFeMogkITiEHX941amYX-nVyjS7y7VBweIzTRgnpvqqzPaOMjPPBXUs0Q,NULL}
7	7	cordon1:AQIE-l7i6pkqXCiJTC0AQpG-7kClz4Jir0X_RqPbq0r80OPE-eVMGDePcEiys5iPag3PjOiiSSIEVkixZ98rdcTWi2gaN7ZlzKhC	cordon1:AQAE-l7i6pkqXCwYmZRR0wSE8PBQZP-lQ9IhiWQyF4eR0_c3PI0CIuUnMB8fKc6Q_TzF56D7p_Q_UBPXqAM	cordon1:AQEE-l7iu1Ce7yfsKBM0jg63QmzHa2Waop9m7J3K11QfPUV1yVGHkDdDSfdMoBDsA3lCFAGJT04	\N	{cordon1:AQAE-l7i6pkqXPcwScND9wWbE0q05g4FADQ4Lf9n1ROT5TthZBR91R98c07binEYF2HuaMA,NULL}
7	8	cordon1:AQIE-l7i6pkqXCiJTC2HgzNwSF96qwbBXyWigRf3pQTltP6C0iRMDA4E4WVZE1-Lhn-SPATYMkOSMOt1skEhSnC0k66RrFb3eQPK	cordon1:AQAE-l7i6pkqXBAxZ4TYtu4-szLCItGbG9F7CTQjYjK67I0f_qWm01wD94w-BRQ9VhPXYnyG5emtLW6n5p8	cordon1:AQEE-l7iu1Ce7yi1iEAtNHgmrdToJ-gcDhpiUWVGBeyAGUL4sDDMykMMLKSotGFz5iyQ9xTf7Fg	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZbZ5Gigwh095HFnXJ7wOeySkxtthGWOdlL5fPO88Gr5hw1s1kYiEXbBOG	{cordon1:AQAE-l7i6pkqXMhQuNoRoYAsaCp_kDZK8rrh4_yESeWF7s64TB9Qjl1XTOtiPnc3sfA6MJI,NULL}
7	9	cordon1:AQIE-l7i6pkqXCiJTC0sJO09z22cdo5ED0sLD8k1-SjuGNZEQMQvsZ5P4p02a_87WP2jO8gtKT5Lwh7CBXdHxJ0es39YmZB28l_n	cordon1:AQAE-l7i6pkqXAbKX2uZpu6uycHnk2FvQpNV0_ylL2ZOaG7EzFkvBipPQ9YnKuHuvwoRXelW-LKXTdnerF8	cordon1:AQEE-l7iu1Ce765VGiz73La_N5Js6gxhgf7fWdYyfpQJy1ioYC7qiLCkLkwp2bZNJ8O2xFF8YlI	\N	{cordon1:AQAE-l7i6pkqXAIT78V_oTqpIsbjSMbRALorEJPDil22QRFfaZK0vxrnvX8Qu-rOq79ir5Y,NULL}
7	10	cordon1:AQIE-l7i6pkqXCiJTC1g3dEifQtbRSgE9O0RjAe5JJr4CuAJE35ALc0ySOmiVBlmRe-K8WRX9Rha6uDmUgmYawQiZJcW1QRSt0DQzA	cordon1:AQAE-l7i6pkqXBcpvlPGhyflGEJYPtdHvEonA_EQyISF2qHMKy967PGlksnbZ-xhfgsZIY3yHudCmJDkY-e6	cordon1:AQEE-l7iu1Ce7zX5XMIwt0_IdjCFFgwpx-uQIV23-VqD9ZtzibgdcdkCR7xLI3nHx3IvZWrDLLmM	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZklpmj-Jz61uxFDGHfhpUoq3CgSiA7pflWEPCLwKcHtT8FCo9MXfPYHBb	{cordon1:AQAE-l7i6pkqXLvU0PEDFLk8WSpAakHXcKDwge9NfFIu2D73fqSQ_Az-1YvUpuMC41sklnA,NULL}
7	11	cordon1:AQIE-l7i6pkqXCiJTC3FJGSEEnSfz5ZfUYyuveqPH4nWJdnECT4yWkqyPHdu-nSdnh0nMwyY77Mb0zNudqArISm_vmC5qc8-BJGx3g	cordon1:AQAE-l7i6pkqXIqG9dEck4wd7Q55dUXTfc5C8LOnXKSq5F1N_THpYKt9poYAjAcacPefCVLCpq72IO7vNguh	cordon1:AQEE-l7iu1Ce77qQqBMjadk4Gb8LtSwqG8ehNjYr3FPbhbdhekZFk8i4QIzNPeJ-tFIKFhAx4UU7	\N	{cordon1:AQAE-l7i6pkqXMLQ4ShYhDkHGJ-2t_mETgO6U7kiaNkx1H9dctZnfLBlaB2OWYl-0Wp495M,NULL}
7	12	cordon1:AQIE-l7i6pkqXCiJTC39FOfd6i5gRtA7eOXm7Yr1dUHz0Le5i2wX70QebsgH3oUjw85fmIgI20HR7PfKTeAfjpeRt1mceO27kXHTOw	cordon1:AQAE-l7i6pkqXIzHOGQbPmroK67-6UGbYupHR-zOsZZwJwsT5pcgI-o23OIl8Fv_Qd9d1jE_EunBiiLDvrHz	cordon1:AQEE-l7iu1Ce72PvFkS4TKOBUqj3GHyumqaphvtgiZc5kjFNsJdRVMofmwJHycaEyfApQKzudrFT	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZ_VwE4A5BQsxJIcQmTuQ3mDRQrH2M-7yiB1Nj9CbCtyldS-ZQLNqsfcME	{cordon1:AQAE-l7i6pkqXC8L0TN7caUguK2xoAsCotfZjUjZ7qeGHA2btOGa3ue_BVzo8kGNpI8wPag,NULL}
7	13	cordon1:AQIE-l7i6pkqXCiJTC0HZVM_3bh7FNxpaREN5dhf5UN7qiixGzqfUi54qejHrqQep3R8KB0_jidm7aeBb4hStaTmDdGRdhrxfstikw	cordon1:AQAE-l7i6pkqXEA5lOkk4QV9xB2N5uMM9wZHbM1K2ZJ_eWBuFq_5LoxFxoLPappvBrHHF0YUZ24oioLt7xFR	cordon1:AQEE-l7iu1Ce75fWtm6Kw-LS5Ppf6U2yn8ix2X-HMLk3deGnXGxsGsAFoLU_JO6EvZABb8t7ZSth	\N	{cordon1:AQAE-l7i6pkqXG21iMnlBj-ZvvhRGDjNhhH9Sy1E2VI8sqtn32CkGJT77EJbAdXnZzA3-Ro,NULL}
7	14	cordon1:AQIE-l7i6pkqXCiJTC3DJlLgRPyFH043uRPUAMwx6xDk9bqbnony_Htp12SzXkh55YYzSvs_3PmdoI5hHilIZ90N8MuVIReqGGeMbg	cordon1:AQAE-l7i6pkqXJYQNTvwhWVXXQWfFaDZRYdCnoBsDEO6tbnM4-4vDsrbN9E3ZngZkE3D6UxcOga-6Bf-d13_	cordon1:AQEE-l7iu1Ce73do9dWLr8nyxeMWr_CZ7zrOYt7FxyZwURvzGeiXEGBpLcqwH3H5wUQLpK35G652	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZD-fAqpXGSpCs71MOXdAucMA3RRJLAt0_w-vm42DrYcVDp8RQx5X2LhSV	{cordon1:AQAE-l7i6pkqXMuqouEjIOlzZeYVXXYQt2z8SC3ArXkgaB9jieOIII1klaJUbpQ564divx4,NULL}
7	15	cordon1:AQIE-l7i6pkqXCiJTC17SiWsGwO0_MfvlUE_i206iuq1mh7Si9WqvmQTKkV8MQKf_22Kzo6UDnKEPRnm6vSj4xZU7cSXYdtvFi9yhw	cordon1:AQAE-l7i6pkqXAXwlW0efffcaA9nt_T9M1Rq1jYgBPusnRsTzXDsrb0kh5O5i7_DDHIG89bzlCYMtq1vBEGG	cordon1:AQEE-l7iu1Ce74wY-bTWdjOlB6TN_yMJUI4snOf198GJRlyu4bKNqXtL1ZD0iCnjT2y5uGPeGcNU	\N	{cordon1:AQAE-l7i6pkqXOf_e6s2RR0OFYdCVBOt8gDCabqjUw4Eqo2mzwg4CuF3cqAS7w7iGwk66i8,NULL}
7	16	cordon1:AQIE-l7i6pkqXCiJTC1xuhtABKJyPRQANWFhxgS8sivhA2DyGFzyH-AY_CZu3fAZJd_bmUdjy5TWsqdNow8YPWu2INPHtbNirAFEJA	cordon1:AQAE-l7i6pkqXFgQVPBKsKDon92M3KIaldUu5LOUBSpviVgRlWqKW1oeWRUcFmFaXvZiLf33ay03hMLFp06x	cordon1:AQEE-l7iu1Ce781Nu7nfNpAH2X7Gm4QPgG3bbO-i4XUxrBQBkXcSgd0h3DjDpaf7YVFf5pW4n6tQ	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZKiqZc9_-xoKM3cdXnokaev_rjlxJjtNwv3KhkxcAjcCxpnva8RWQYovn	{cordon1:AQAE-l7i6pkqXCbCUmgy_j-LYgr-4dnHrU7MccK-pHfHLWeKKJJFJWZ4sVb3P3LAQyXnl8s,NULL}
7	17	cordon1:AQIE-l7i6pkqXCiJTC3DVE2pRA4jrf3fUbZekluM6AwAOQR03QH3XjneJFfgPRX9WVXnYQNF5OCmQOKloSoGtAod2LwBA-GnWFdJRA	cordon1:AQAE-l7i6pkqXJ3ZOCzlN6aRnNqNiaVqshZP1Woy1fl2KW6wz-H4BeADKiVKGhI5GzgS5otaeFevXRaV_9cj	cordon1:AQEE-l7iu1Ce7zH1SSeUCvbQQMziWlNXKzaA3qDjE0IOGX8UnHcneDMPRz4Aqa3vMUxVfhuYm54A	\N	{cordon1:AQAE-l7i6pkqXEBz7_Fg7SeLweUiZ7CwUN_RicdRz3HU0G6XivE4TYkF53VJSR8wU1rp3dM,NULL}
7	18	cordon1:AQIE-l7i6pkqXCiJTC2AsLe4WGOZ-E3_vXjpx2rQ5wAuTLxDklMjWlOyVQZSaoBLiIUMc9WDl8AGI9PMORcQbQPOGTM67TL7psUx-A	cordon1:AQAE-l7i6pkqXB8sIg3FdRyylNzcIbHcydybgIOa6zVUorKTP6-UuuloVhNnZWYAuXyaLDd8GqsL41VQ191V	cordon1:AQEE-l7iu1Ce71gwavxwpHT1qLdqqls2gNm60HAy5a5Caxfr4GF83z4Pjhlglo7-IAr_-hRVIIAJ	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZGwsyylfP2jXw4WsPJ4CaBz-n-i8gRWqpVbeHTpGO0Lygv_Jrf--omllG	{cordon1:AQAE-l7i6pkqXHuLOK8_FQp83MSSFCZNzjnxkpcHm0Aarp4dOqftmt-44HtKUdhmDl3OMLg,NULL}
7	19	cordon1:AQIE-l7i6pkqXCiJTC3QYy5xdSil8aRmMUOohNnfHNrNOhqh7EhVPIaaQnaARwXYP-FcR7ND9wDlDsCH7YH1lMQvfumryA8WXymyLQ	cordon1:AQAE-l7i6pkqXGJU--K7o8vWL168DEV4l5QAVDJMsFvvH4d3WTboHpt5rWJvEjzZ-1xO0msgEiNJHK_1oPKq	cordon1:AQEE-l7iu1Ce77KfIHU3be3M7ZgJPR9wu0YfCWpQbCOigdUb1ZTp8M9EnrqZrcYq_-9L0VpKeT8W	\N	{cordon1:AQAE-l7i6pkqXGjlkdCC0Vhjd275puIKt8rN6vOK1nS1XBIVG0Fw9vYGk2oPJ-99nftrQ0A,NULL}
7	20	cordon1:AQIE-l7i6pkqXCiJTC1YocB6WmRxHZ-0t-torEMVUyEY2opmPdcUEnG2LHeOD0LoQwUCDcZUFFlNNu7G3hP3asKZlATuD8z2e7ep3Q	cordon1:AQAE-l7i6pkqXJBB5SDR1_OnREQdqlees3GBrC2Tlp6Wy9X_7Md7Qnta5K8RViImdEEfdXQuwFXvmVTXkoIO	cordon1:AQEE-l7iu1Ce72dXrJi83zR0LjReAvlSzXLmj-I7r-knUUhuVWekT1t0RV-IcmdoXMEkgn8Wa4l4	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZrtd5A4DldZPyYkeoMGRnpQGH0a8LyM6muAw-YHRzS2v6SLPoa4m2MqYu	{cordon1:AQAE-l7i6pkqXOQubyIdhswvotqNw7ylNKeaqvV8-H42pQbSBMVLpvnLg8K9pZaFR9Iejww,NULL}
8	1	cordon1:AQIE-l7iCe69LyiJTC0Eln8sNlrZIcnmcpCJNy-kTxauRU2y69rg4aUa6QltegmbZX0AcOPMc10smRMmnha_pr8jMSSDIxKAdgK5	cordon1:AQAE-l7iCe69L9qUHT2kYED8eXrw-BBLJkzGn4nphODQDv-_P8F-YEDfEqAvcS1fAeNyKcEXs7mSpleZSiU	cordon1:AQEE-l7iu1Ce71HzOA2HMsDaxEaZug_O5FGln33hz_BACHR5WcNxa4Wooysb97cEykZdfkgLxZ4	\N	{cordon1:AQAE-l7iCe69L_eSf9c8hDc6wkQ2DeojiDNXdnhD55DmTBtAJIboAQCkFlR2nLmaIs9moKI,NULL}
8	2	cordon1:AQIE-l7iCe69LyiJTC2RugBnuxaduap37ef5Q9rQGYsEup-3XVSGg-XraIx6q8V4St5tUF8n7ZODZ2Y0JOXwYkKIu9HMaCMNfThI	cordon1:AQAE-l7iCe69LxdMr4tTBkHXyULRwEVsptoIdU7xVeI-SyO2zp1DFSIMesia7lp0Dm3N5QkOWCNjKZcAkeo	cordon1:AQEE-l7iu1Ce78BBMuWdTBf-mptEypKXlX6LSwW9LSM3D6sERdoLlfVGSf5lXOSyTyFaDONmp2Q	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZWNhs4tWsPnD5wub4zaDeyichA4xBc207VUEdjl4o7b3p6yTdaerAOgsB	{cordon1:AQAE-l7iCe69L6hy50d49XVSWZxRL1lydyoaUeWd0i7n4PGjkl3PiHjuwsmCwNHl4IX1fOw,NULL}
8	3	cordon1:AQIE-l7iCe69LyiJTC1sU7nhWu0pdleql3BCR4RjmOyfgsLX7DC3aJvXs2rzIiQbBSqxOeesNqVDVJwKR59vxaiuDKpuS9Y7DIa3	cordon1:AQAE-l7iCe69L71LIiHG7fir_VIAJCv0GHOrAzy5-d_orAFuqscKQTOF5-M-MDN_slBqBID3Lnp4DeP1u44	cordon1:AQEE-l7iu1Ce75jXvge8IAjDHJ-Xu9LPYg4_vMgKkae_JDSWbmnxE-mkyAeCXpqvQz8KH1yYsYU	\N	{cordon1:AQAE-l7iCe69L_6py-YPYLc4Df8EpeSiehjNpNa1Dsvu1K20A2-_KBGZaUZe1T-GOZRnPUw,NULL}
8	4	cordon1:AQIE-l7iCe69LyiJTC3Pwha5QSLfkDah5Ml6x1ZPYWLU4QA_fgKH-HbnIMkg2oXYrEJvCof24On-od_3VRUtvTOP-RlaumQLVGR5	cordon1:AQAE-l7iCe69L1MaGOVnCVLwMWvGsiPOI7k2gHrhtW_YvMvi5o6zkfuU3nfOBon0fKjP4_IUz-395LH4xRk	cordon1:AQEE-l7iu1Ce795SXwTG0Dj53CiIF5qoyN_qBGIdbnyaA4lfmxK_DPvjiLk7xChr8qLgrbaB86s	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZn_ozoA8um3znjiSuwPbqV8Hk7U97MjZBOa3xiQxV-eA3qzs5Hc7AkdbW	{cordon1:AQAE-l7iCe69L7rEGuzN-xxMtV7FdWVngvXBLsWh5aZJyF6oU7BeDlr0d9csf0xxnvdoUNY,NULL}
8	5	cordon1:AQIE-l7iCe69LyiJTC2XF9jEcI0R2ofpexxdVEkEHqbkHcpadOC5SbBFst6NgW_kgkYwMN_u3CQPS7RbvsVdPaoMN-HeVp0eR_8U	cordon1:AQAE-l7iCe69L7nMErrEHdBmDnzyNVNOoZxVpo5YuBKzgWaN4_JUfdpaPjiyDcq8jAgJEFoB8u79sRkDf9c	cordon1:AQEE-l7iu1Ce79Qj4fXolT3k_6ZuggC1DVQzpFM0Sh7XLm2oPCda1AMDXA4Sz1iqwsZejneSGD4	\N	{cordon1:AQAE-l7iCe69L7Vzm93E7YKxVUMvyZRYS21SLlz0q-fs_05_5nJ6yOLa3yfqc7R3vEMsdWw,NULL}
8	6	cordon1:AQIE-l7iCe69LyiJTC2-4mjU8vfprQ1L2HWXU4sp7V5moDJ7yoFLiU7s0OqvFYpN7wjRQYSQLWoVP9_3j5jZGbfkmdIhtoHgksSX	cordon1:AQAE-l7iCe69L8_nTstJiaDULwwNkJdch2xs2WNFycZxZ70BRSyS4A5lN33tL2NH95_PA26q2RLp6URaORI	cordon1:AQEE-l7iu1Ce7_a1sV5j5A1RntEdll-yij9i6xOZ5uzwzielOJCcpcucQ849V2xsUXIXrZ4AznE	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZW8wwZqEX3nTrBbX0bVWSVrqP6zopYDGuxaUrTafgcAkJ3VZC3B2n4j90	{cordon1:AQAE-l7iCe69L-BrqWutz12glLO9Uq1I_WEqN_VpQH42CY-BnZ405uPD4fVHxr3R60nrC_E,NULL}
8	7	cordon1:AQIE-l7iCe69LyiJTC3UEHtJCjzapSPG6yBnQAvhnlIjjsdF69AA-cBG11A76V1puX5azMMO8FzdjblNC-eKDGskGhDE_4e6cavg	cordon1:AQAE-l7iCe69L7KMFkQni5IjIzzPftQ84OFd1FJMGnidT95estA6vQbejxByJYuguJ7CgHI2G2Soh6dAOcM	cordon1:AQEE-l7iu1Ce76vF0oxAhslwc7voelRUqw8DTte4F7-3B4pqadNwjXzN2_WqmE99ObK1S0Wmdtc	\N	{cordon1:AQAE-l7iCe69Lx6tcBMk1uMq9IRrkov9CLQJ3WQDGTOfLBWwNBepCp_Qs6Vll1OTWcbFitQ,NULL}
8	8	cordon1:AQIE-l7iCe69LyiJTC1XOaBaVDcG4Pj-_DBpLjt2wP0lEO73zI2t3DiOf-bTzpXwttrMBtsbz7Dkw9QCFlyJLrbUppXswukMco1l	cordon1:AQAE-l7iCe69L4DBBWl4dX5a36qqVoOhQRBTBPLBa_E78Hv2RrAjUzthb3mwX4QcwjygtDKd2kfZdNocM6c	cordon1:AQEE-l7iu1Ce73MHAQgjRLLRouT1wtQcnG-w31P3W7wq0tQTPUtyNsUmPXvme2V1HZ-HZ4jY5wA	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZ6i1YqLc93_a6TVYNneK0h4KP0p7WxX76jNUarTnuhAk_TN7X4TGQi09s	{cordon1:AQAE-l7iCe69L3GhhVwTVoo-OM5Lyh9rz6Lu0xagl-JAxKi5wrncxNKebHNxx9gE8ekwLtY,NULL}
8	9	cordon1:AQIE-l7iCe69LyiJTC1-D7RjCIQP-tYdPdeg6RUTxqyHqZWAUI353vgydfmgqFi_CM4UQVS5vyjXQU4kZNTtx61iYadsFxlrSV8a	cordon1:AQAE-l7iCe69L-aVetW_EoH3lJTvVkO5XOFv0X7gaDPo1szDxxfJr-4JxPpvMBYI7BwDmwpyosayljOeNiw	cordon1:AQEE-l7iu1Ce79doXvnqjjDmA6JfCzN5WQssTbPkpTT4Qn6lLHXysHJQhGd2iCtgI0XTrthsjQs	\N	{cordon1:AQAE-l7iCe69L3I2tuWZD16dtM0RK7ll0VLjsDB8UU_vD1yqaiOoBxLDxs_-XTZeFT_zk7o,NULL}
8	10	cordon1:AQIE-l7iCe69LyiJTC0bx52jHNEb1rGu2ZK3tzvVMrMShQCEju8T0A17JNDpBERpdMOMG06DuZRp3iJbzsbj04IjyoE2YI63Qp7Mbw	cordon1:AQAE-l7iCe69L8Fgz-Ib6visjgFPIG8X6WJ39n0PcvUZGxBNfNs_fjlJyIm4g8EaEm549bUJWmZpjELgWPuI	cordon1:AQEE-l7iu1Ce7x1krmrLeyvAo1xasa6aMJEAbtriUt2FwtFFjQ8OWuFq0xGnvkC8IVIHPZJMnjZB	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZ6JEJYubCwrZq_Iz4OSsxbiMpNKu_HJi7NjfWSOjOJ6--R8Q7cp9TgDD2	{cordon1:AQAE-l7iCe69L2r_X-59NCCFOegwmhBEJQPStqsJuCCJszpFecc3nsXg-MZI9-afs9qMv_o,NULL}
8	11	cordon1:AQIE-l7iCe69LyiJTC0srFZolQRIbWJzsetzvqKbaG2RYy21z5G6VYiJHnd6bOghR8FSMnjudMCBMqIkjcIBUeOC3MpdbIDkVrRXMA	cordon1:AQAE-l7iCe69L_IXR-yRzxLdvx9anAqMb9yhJxZ22ovUmluFr61dIUM-0fEow6rS2SibtbLKHfxkbFYFSAv5	cordon1:AQEE-l7iu1Ce726F0cwbScRfHvD5KWgqrZaCphjYBF0ZeWsfZKzb9P4EuVgbLzWxcpWf1OSsM2Ou	\N	{cordon1:AQAE-l7iCe69Lw-_Mk0w2I7o-O_XnCO_KW5ETqnEQL3NXn3SMjUsHfuO-SwbFKWD75AOkxM,NULL}
8	12	cordon1:AQIE-l7iCe69LyiJTC2ErtToOgaESwwlmBmxvkj5wXY3LPAdnAcNlBj_c5A_3R1YrC6bg5Mh8pJsDw392D4Q7GRiKyUUjotj01-xig	cordon1:AQAE-l7iCe69L0TOdeMdVuXJd1OxS5sQwJCggq6bS4k6b4DKrGWagp0G81ncPnsTUIlNqc3vfo-UbcyteDv_	cordon1:AQEE-l7iu1Ce79-OG5Vn5jbq6tria8oU3HSHLTYaV_t8a5lPFeGYWZq0NVmBOYaCGzImIP59GTMN	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZd9xKievemHxz1wBW0AQsa4F3_l8xuRoCvR3Trqga1m2JWukiQ2kOxIY5	{cordon1:AQAE-l7iCe69L2EFSnyzjrSBUdhOSa0wkxUFM4EY7Kcc-uLrSmX1Eka4UDvkdhhXyEyHhgk,NULL}
8	13	cordon1:AQIE-l7iCe69LyiJTC1ChRJ1FU4SQTFF9jdhRyyLZUFthRXtVaBtDtrbwPYIzhvFvUHt6yjMUGUMqa90yBFJZ7BSOH1MrCXncCQZ8A	cordon1:AQAE-l7iCe69Lyn3JeYp0JklE1gqM-DFZP6acbc6-53WxfYLVLEPd-JXPjNlk_zEfE7bBbHs77QMqREsc3Wm	cordon1:AQEE-l7iu1Ce71yn6aBegnucdwhqZ6dfQAGUkFFufAdELwAhFr7eada-DNZHpgG-tyzTzhYN-SVk	\N	{cordon1:AQAE-l7iCe69L8RfALblpsF9-c4V8bjTM8UMzD7a6ZaF_QAW84dtyLcUjGuozQfXhvG9-pY,NULL}
8	14	cordon1:AQIE-l7iCe69LyiJTC1KzDWlLW1UQBGPOmkLeQ6opk0oZNonn3Q5qa293w_dlmBpRLiGgYDi-SWtqHxd-N0N09SCWYWos_GPbGuQzg	cordon1:AQAE-l7iCe69L7SR1OCp3cYat6SkBJrh2nOEzGqGGurKlOjNKgYdAALFZuzHzXNJO3t_baiIt0rE3hpPqeGI	cordon1:AQEE-l7iu1Ce76DHdmVdciLlQ235IjUQOmG6PsxR7bfFTx0nvOrlVVjiN8SetDW2FWWb3d2zEDoR	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZU31fZMkmpaeUxACqgIwcOSCyJFRhegfukfNH5OQxZxeyNEcHpf-yZM4D	{cordon1:AQAE-l7iCe69L7U0ZBas7UnwtyFNHKSX6h9J9Cpfz7YrPIlfwavkEIM9M0b4Cwr1FDaY5UE,NULL}
8	15	cordon1:AQIE-l7iCe69LyiJTC1T3oogNr8vBC9iuqkSKWOZO-ogAymmMAzOi1Sq2H6rUl2dz0qbT5pTxQ63fcJ5HjSJb66sg0IdpYZMQS7CMQ	cordon1:AQAE-l7iCe69L1pcHRgQRAUvS9r7LJnAobqnkUlI1d9BJ9thFz8zdd8ft3GpJjbJoYDrYcBMYvkYAtGmfPrx	cordon1:AQEE-l7iu1Ce79LzzXgPOJDHi33PRfxj1FfQ1mlBQzFTGAHnci58TNsxIeq5-_QWy3cJmVwhYEQO	\N	{cordon1:AQAE-l7iCe69L0unRwGN6DhhQ4cMzkMm65VHBMaosi75Sinc3sbU8WfDAjPtNgbc48MJ86I,NULL}
8	16	cordon1:AQIE-l7iCe69LyiJTC2QuS0FxZl4AIzpxYf1xCvvfLq9xcongqwKwi42tIH0yHRtORDnFChwSvX4KELxwgR1vIlApQrGlB1tU8iv2A	cordon1:AQAE-l7iCe69L9SfDkrWmStIfum0VrcKfIx6INzq4aNjVm7tYFuVQBFJTmkjeWCy2Fy6126RARAOLnr2h1aL	cordon1:AQEE-l7iu1Ce791H_YbjPMkR1wMtN8ZW0udQGpdlNeoIVS3TWGEi8RbUD-n_pDkNqGerf6zwQR8B	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZB6SvGukADqTdVWr6xGX75ERdN49wnQNMRv7HOqHWvP8j_NRQcYO9NOHv	{cordon1:AQAE-l7iCe69L1OPHabsoIbZJ1Qf8gWOJwf2cSPXEQLxsbyDDD4XaeQBrqpcWNViWivKNw0,NULL}
8	17	cordon1:AQIE-l7iCe69LyiJTC2F0mN1o3naV51REL6-k9dUIFA-Hw_34KP1phgUVebgh1-bxWKV2GAg1cpq04YAuyTmb6UnakIxpv0utkELXg	cordon1:AQAE-l7iCe69L2b1z-Q2l1dVEWzLWB88-UwgE6wWI9JbzTh1bzdLESdtjuXAru53JVFlEzy9pd-v9opkjSZs	cordon1:AQEE-l7iu1Ce7_ToiptqwZkULiR6t5x3PfleqK8gcEbvo7WexrvjOI9ruNNbmLF_pqHf9RY1gyO_	\N	{cordon1:AQAE-l7iCe69LxzXhl2fFveGNxYNhcO4CjRts0HQPq_KNyomWKORSzjvjHT-EZxIYEC81Hw,NULL}
8	18	cordon1:AQIE-l7iCe69LyiJTC0o6imjRZGl2xV2-lz3xXlZqzWr2e9vjYvo-zFzWceRrfbjwgaMq7sbBvs524I5d2gRwaCFhGWJdRTP7Ps2mw	cordon1:AQAE-l7iCe69L0ugPX3hJ4WKL4FKqwmKxUwXdTrO7uLrzzopIwv5myScvuVO-ctf1ueJLvzJWDu9OPAj0At3	cordon1:AQEE-l7iu1Ce75PUIGvQcXehIvlkQHEFLSETOaARBChLZFz4UScL8ayDsoXabZQPA0AQ56eXIUI0	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZP_vsHRGfW4KsE7Tsf2ChFYIckbZa7D35fxWBrHyeIW99K2YlLx4E5DC9	{cordon1:AQAE-l7iCe69L9pvt-FECs4BLtXAnK3s31mOLJHPWjNzEPzlkOqXk6VoHVS7dgnYSTrSmng,NULL}
8	19	cordon1:AQIE-l7iCe69LyiJTC0M6h35AHQXd7vBR39ibjWJezDUZZL8jZfVNZouBbsON4ybxeI7xjBicaYgPo7njWaLixDWf44PZte9VSzyIg	cordon1:AQAE-l7iCe69L_KCwHzLY4DOLkGSF6JXK96a3QEkVFReGeztwUgyU39lxwKsBEhT37dzYs4alryPFsQoWls7	cordon1:AQEE-l7iu1Ce7252QxLJTNbzb93ALa2ln3YwHm34ZVddZB-0t7fYWoBY0AOcuFwIsVuzTcaFwpwb	\N	{cordon1:AQAE-l7iCe69L01019_pnEAp0ID5NLMpYQK3KqrXyJRhMChb7lA2g1AiQ9GD2wTx-3_gNZM,NULL}
8	20	cordon1:AQIE-l7iCe69LyiJTC1mAudaPZSjgglXPLUEA5oOZUIEEX251Gk7NtMpzGSBACcnkTIirZWzHo2fT_MSTuZ6-sG0C_EDrRU3tWAWIw	cordon1:AQAE-l7iCe69Lylv9yEX4YnZe6lwM19u1DBoj6WIj5EvIF-j1K0fYajxgsCs3zAuyy6dh2z3N0fWAIkkOPvT	cordon1:AQEE-l7iu1Ce76ahEt7LRZ1IdHHrAPmD57rBgD9Xryz8GB0R4zJu3iZnD8SFCkTPIGpuJJzbwfdl	cordon1:AQME-l7iu1Ce7yiJTC0QdeiurR0HPqstvVPXBuXZu2C3zHhfI1zcqXFmBaz07lWVbiXXNCRTL2ayQknfyB8YfX3UBrtJxmff	{cordon1:AQAE-l7iCe69LyumaSRfGpIo-nklTG7QjEdkcL3MmAh3REdFYv-YOt7-iEFwK5pNYVwAO8o,NULL}
\.


--
-- Data for Name: api_key; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.api_key (hash, name) FROM stdin;
cordon_th1:AQGQBrrRcI8KvFjXfgU_zoEqNEzHX4gmV-cSm5BrGcytUAyYSI4	released
\.


--
-- Data for Name: document_0; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.document_0 (org_id, id, body) FROM stdin;
00000000-0000-4000-8000-000000000007	1	cordon1:AQAE-l7iYGl8HfxpyeN_4uwEW23SsgL6sjVAACMTP1flHQapEd3lX7hGgH6oax2GpsE0BkMy
\.


--
-- Data for Name: integration; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.integration (team_id, id, secret, secret_sealed) FROM stdin;
7	1	plain 1	cordon1:AQAE-l7i6pkqXAhg0oRrMHvrYUKkOnlTHV-wi1hDTsqdqYD3W4I6v2oFd63kFBRfDO3Bjq2CJZo_
7	2	plain 2	cordon1:AQAE-l7i6pkqXMVEYzW2jLLLrZpklyPx6sJPUZIj9JRdwZtA8biru2kJdOWjk9ZCf1I0fljQTh05
7	3	plain 3	cordon1:AQAE-l7i6pkqXJ-U4Fl_ezTznKgjX64HDk78lVdtAHLcGVkcr1U8jzhunvMaN3sCcAbI6SBwupSC
7	4	plain 4	cordon1:AQAE-l7i6pkqXHaMZpoRou67PiyirQri1d9quKB9R9UnCJsid1um1SU3DsBH03J9wKe1PddzzO0W
7	5	plain 5	cordon1:AQAE-l7i6pkqXJm7y1gnztuCoPfw-nWHkygXosqZQLbktlapuo9H8WvO14gV9hA1k4BR2V5uwmkb
\.


--
-- Data for Name: issued; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.issued (token) FROM stdin;
cordon1:AQAE-l7i6pkqXHu3eziPQus8EYDtkZG3SbnOwfQAFuFJtOwHtFB2AqJHWFMq1KCBbKDjIOwYvwy-vvgo5ACW6Uf6AGDG2_xDXy1HZyg2K79RVAuq3Qg
\.


--
-- Data for Name: own; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.own (team_id, id, value, shared) FROM stdin;
7	1	cordon1:AQAE-l7i6pkqXPABCos4vDsYQP_Uh0rGMHPGJnusFuJcNlERpc-CN8dOLW1W60660Qab_ug	cordon1:AQEE-l7iu1Ce7y61BbdZGUvie0siVd3Ji_NjAT0zSOnszOlxoqFLs9YR1iz2jvQipdHAPy_YUZaL55Fp
7	2	cordon1:AQCnAOuStrsS6bpNEQ-hpyhDkblIG6t_TjbPvdOoqu9h_Uvdcslr6_l6BzY0uiKyjApAEftcwVPlmAD1coDxlMgODA	cordon1:AQEE-l7iu1Ce7y61BbdZGUvie0siVd3Ji_NjAT0zSOnszOlxoqFLs9YR1iz2jvQipdHAPy_YUZaL55Fp
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

\unrestrict gGE6tOutNrzO9CZ6boineHbBXwBMvfinure7YPgd7IMPgdMoSarpMTuTTYnHy9a

