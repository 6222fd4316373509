/**
 * Domains under which anybody may have a mailbox: they are nobody's organization.
 *
 * Collected by hand in November 2026 from what the providers themselves offer (their sign-up pages and help). A domain is
 * here when strangers share it: free mail, and access providers that give their private customers a mailbox. Throw-away
 * addresses are not: their domains change by the day, and no verified identity has one. Each domain stands for itself, its
 * sub-domains do not follow. A gateway may add and remove some (docs/identity.md).
 */
export const freeMailDomains: ReadonlySet<string> = new Set(
  `
  gmail.com googlemail.com

  outlook.com outlook.at outlook.be outlook.cl outlook.co.id outlook.co.il outlook.co.nz outlook.co.th outlook.com.ar
  outlook.com.au outlook.com.br outlook.com.gr outlook.com.pe outlook.com.tr outlook.com.vn outlook.cz outlook.de
  outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it outlook.jp outlook.kr outlook.lv
  outlook.my outlook.ph outlook.pt outlook.sa outlook.sg outlook.sk
  hotmail.com hotmail.at hotmail.be hotmail.ca hotmail.ch hotmail.cl hotmail.co.il hotmail.co.jp hotmail.co.nz
  hotmail.co.th hotmail.co.uk hotmail.com.ar hotmail.com.au hotmail.com.br hotmail.com.hk hotmail.com.tr hotmail.com.tw
  hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr hotmail.hu hotmail.it hotmail.nl hotmail.no
  hotmail.pt hotmail.se hotmail.sg
  live.com live.at live.be live.ca live.ch live.cl live.cn live.co.uk live.co.za live.com.ar live.com.au live.com.mx
  live.com.pt live.com.sg live.de live.dk live.fi live.fr live.hk live.ie live.in live.it live.jp live.nl live.no
  live.ru live.se msn.com passport.com windowslive.com

  yahoo.com yahoo.at yahoo.be yahoo.ca yahoo.co.id yahoo.co.in yahoo.co.jp yahoo.co.kr yahoo.co.nz yahoo.co.th yahoo.co.uk
  yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.cn yahoo.com.co yahoo.com.hk yahoo.com.mx yahoo.com.my
  yahoo.com.pe yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn yahoo.cn yahoo.cz yahoo.de yahoo.dk
  yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro
  yahoo.ru yahoo.se myyahoo.com ymail.com rocketmail.com ybb.ne.jp
  aol.com aol.co.uk aol.de aol.fr aol.it aim.com love.com netscape.net wow.com ygm.com

  icloud.com me.com mac.com

  proton.me pm.me protonmail.com protonmail.ch tuta.com tuta.io tutamail.com tutanota.com tutanota.de keemail.me
  posteo.de posteo.net posteo.eu mailbox.org disroot.org riseup.net mailfence.com startmail.com hushmail.com hush.com
  hushmail.me countermail.com runbox.com kolabnow.com ctemplar.com cock.li duck.com simplelogin.com
  fastmail.com fastmail.fm fastmail.net fastmail.org messagingengine.com sent.com hey.com zoho.com zoho.eu zoho.in
  zohomail.com zohomail.eu zohomail.in lycos.com excite.com inbox.com gawab.com rediffmail.com indiatimes.com

  gmx.de gmx.net gmx.at gmx.ch gmx.li gmx.com gmx.us gmx.co.uk gmx.es gmx.fr gmx.org gmx.info gmx.biz gmx.eu
  web.de email.de mail.de freenet.de t-online.de arcor.de online.de vodafone.de o2online.de kabelmail.de
  unitybox.de ewetel.net alice.de alice-dsl.net lycos.de
  mail.com email.com usa.com europe.com asia.com post.com myself.com consultant.com engineer.com programmer.net
  techie.com iname.com contractor.net writeme.com dr.com cheerful.com
  bluewin.ch hispeed.ch sunrise.ch aon.at chello.at inode.at

  orange.fr wanadoo.fr free.fr sfr.fr neuf.fr laposte.net bbox.fr aliceadsl.fr numericable.fr club-internet.fr
  voila.fr cegetel.net 9online.fr
  libero.it virgilio.it tiscali.it tin.it alice.it inwind.it iol.it fastwebnet.it email.it tim.it vodafone.it
  telefonica.net terra.es ya.com movistar.es sapo.pt iol.pt clix.pt
  ziggo.nl kpnmail.nl planet.nl home.nl hetnet.nl xs4all.nl upcmail.nl casema.nl chello.nl telfort.nl
  telenet.be skynet.be proximus.be scarlet.be pandora.be
  btinternet.com btopenworld.com talktalk.net sky.com virginmedia.com ntlworld.com blueyonder.co.uk tiscali.co.uk
  o2.co.uk fsmail.net plusnet.com eircom.net
  comhem.se bredband.net spray.se online.no broadpark.no getmail.no
  mail.dk jubii.dk stofanet.dk tdcadsl.dk kolumbus.fi luukku.com elisanet.fi suomi24.fi
  wp.pl o2.pl onet.pl onet.eu op.pl vp.pl poczta.onet.pl poczta.fm interia.pl interia.eu gazeta.pl tlen.pl go2.pl
  seznam.cz email.cz post.cz centrum.cz atlas.cz volny.cz tiscali.cz azet.sk centrum.sk zoznam.sk pobox.sk
  freemail.hu citromail.hu indamail.hu t-online.hu vipmail.hu abv.bg mail.bg dir.bg inbox.lv inbox.lt one.lt
  mail.ee hot.ee otenet.gr forthnet.gr in.gr mynet.com mynet.com.tr walla.co.il walla.com netvision.net.il

  mail.ru bk.ru inbox.ru list.ru internet.ru yandex.ru yandex.com yandex.by yandex.kz yandex.ua yandex.com.tr ya.ru
  narod.ru rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru pochta.ru qip.ru
  ukr.net i.ua meta.ua bigmir.net email.ua tut.by

  qq.com vip.qq.com foxmail.com 163.com vip.163.com 126.com yeah.net 188.com 139.com 189.cn wo.cn sina.com sina.cn
  vip.sina.com sohu.com tom.com 21cn.com aliyun.com 263.net chinaren.com
  naver.com hanmail.net daum.net kakao.com nate.com hanmir.com korea.com lycos.co.kr empal.com dreamwiz.com
  docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp
  excite.co.jp goo.jp infoseek.jp plala.or.jp
  pchome.com.tw seed.net.tw hinet.net netvigator.com singnet.com.sg pacific.net.sg streamyx.com

  comcast.net xfinity.com verizon.net att.net sbcglobal.net bellsouth.net ameritech.net pacbell.net swbell.net
  prodigy.net snet.net cox.net charter.net spectrum.net roadrunner.com rr.com twc.com earthlink.net mindspring.com
  juno.com netzero.net netzero.com optonline.net optimum.net frontier.com frontiernet.net windstream.net centurylink.net
  centurytel.net embarqmail.com q.com cableone.net suddenlink.net wowway.com rcn.com peoplepc.com
  rogers.com shaw.ca sympatico.ca bell.net telus.net videotron.ca cogeco.ca
  bigpond.com bigpond.net.au optusnet.com.au iinet.net.au internode.on.net tpg.com.au dodo.com.au
  xtra.co.nz slingshot.co.nz orcon.net.nz mweb.co.za telkomsa.net vodamail.co.za webmail.co.za
  uol.com.br bol.com.br terra.com.br ig.com.br globo.com globomail.com zipmail.com.br oi.com.br
  prodigy.net.mx terra.com.mx arnet.com.ar fibertel.com.ar speedy.com.ar ciudad.com.ar
  maktoob.com
  `.match(/\S+/g),
);
